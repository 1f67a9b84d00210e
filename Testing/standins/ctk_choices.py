"""``ctkComboBox``, ``ctkPathLineEdit``, ``ctkDirectoryButton`` and ``ctkMessageBox``."""

from __future__ import annotations

from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets

from standins.dialogs import ask
from standins.implementations import register
from standins.stored import stored

_DIALOG_OPTIONS = {
    **{"ShowDirsOnly": 1, "DontResolveSymlinks": 2, "DontConfirmOverwrite": 4, "DontUseSheet": 8},
    **{"DontUseNativeDialog": 16, "ReadOnly": 32, "HideNameFilterDetails": 64},
}


@register
class ctkComboBox(QtWidgets.QComboBox):
    ENUMS: ClassVar = {
        "ScrollEffect": {"NeverScroll": 0, "AlwaysScroll": 1, "ScrollWithFocus": 2, "ScrollWithNoVScrollBar": 3},
    }
    returnRelease = QtCore.Signal()
    defaultIcon = stored("defaultIcon", QtGui.QIcon(), QtGui.QIcon)
    forceDefault = stored("forceDefault", False)
    elideMode = stored("elideMode", 3, "QVariant")
    scrollWheelEffect = stored("scrollWheelEffect", 1, "QVariant")
    defaultText = QtCore.Property(
        str, lambda self: self.placeholderText(), lambda self, text: self.setPlaceholderText(text)
    )

    def _user_data(self) -> str:
        data = self.currentData()
        return "" if data is None else str(data)

    def setCurrentUserDataAsString(self, text: str) -> None:
        for index in range(self.count()):
            if str(self.itemData(index)) == text:
                self.setCurrentIndex(index)
                return

    currentUserDataAsString = QtCore.Property(str, _user_data, setCurrentUserDataAsString)


@register
class ctkPathLineEdit(QtWidgets.QWidget):
    ENUMS: ClassVar = {
        "Filters": {
            **{"Dirs": 0x1, "Files": 0x2, "Drives": 0x4, "NoSymLinks": 0x8, "AllEntries": 0x7, "TypeMask": 0xF},
            **{"Readable": 0x10, "Writable": 0x20, "Executable": 0x40, "PermissionMask": 0x70, "Modified": 0x80},
            **{"Hidden": 0x100, "System": 0x200, "AccessMask": 0x3F0, "AllDirs": 0x400, "CaseSensitive": 0x800},
            **{"NoDotAndDotDot": 0x6000, "NoDot": 0x2000, "NoDotDot": 0x4000, "NoFilter": -1},
        },
        "Option": _DIALOG_OPTIONS,
        "Options": _DIALOG_OPTIONS,
        "SizeAdjustPolicy": {
            **{"AdjustToContents": 0, "AdjustToContentsOnFirstShow": 1, "AdjustToMinimumContentsLength": 2},
        },
    }
    validInputChanged = QtCore.Signal(bool)
    currentPathChanged = QtCore.Signal(str)
    label = stored("label", "")
    filters = stored("filters", 0x6001 | 0x2, "QVariant")
    options = stored("options", 0, "QVariant")
    settingKey = stored("settingKey", "")
    showHistoryButton = stored("showHistoryButton", True)
    sizeAdjustPolicy = stored("sizeAdjustPolicy", 1, "QVariant")
    minimumContentsLength = stored("minimumContentsLength", 0)
    nameFilters = stored("nameFilters", [], "QStringList")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._combo_box = QtWidgets.QComboBox(self)
        self._combo_box.setEditable(True)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("…")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box, 1)
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)
        self._combo_box.editTextChanged.connect(self._on_text)
        self._was_valid = False

    def _on_text(self, text: str) -> None:
        valid = QtCore.QFileInfo(text).exists()
        if valid != self._was_valid:
            self._was_valid = valid
            self.validInputChanged.emit(valid)
        self.currentPathChanged.emit(text)

    def setCurrentPath(self, path: str) -> None:
        self._combo_box.setEditText(path)

    currentPath = QtCore.Property(str, lambda self: self._combo_box.currentText(), setCurrentPath)
    showBrowseButton = QtCore.Property(
        bool, lambda self: not self._button.isHidden(), lambda self, shown: self._button.setVisible(shown)
    )

    def browse(self) -> None:
        answer = ask("ctkPathLineEdit.browse", self.label)
        if answer:
            self.setCurrentPath(str(answer))

    def comboBox(self) -> QtWidgets.QComboBox:
        return self._combo_box

    def addCurrentPathToHistory(self) -> None:
        if self._combo_box.findText(self._combo_box.currentText()) < 0:
            self._combo_box.insertItem(0, self._combo_box.currentText())


@register
class ctkDirectoryButton(QtWidgets.QWidget):
    ENUMS: ClassVar = {"Option": _DIALOG_OPTIONS, "Options": _DIALOG_OPTIONS}
    directoryChanged = QtCore.Signal(str)
    directorySelected = QtCore.Signal(str)
    acceptMode = stored("acceptMode", 0, "QVariant")
    caption = stored("caption", "")
    icon = stored("icon", QtGui.QIcon(), QtGui.QIcon)
    elideMode = stored("elideMode", 3, "QVariant")
    options = stored("options", 1, "QVariant")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._directory = QtCore.QDir.currentPath()
        self._text = ""
        self._button = QtWidgets.QPushButton(self._directory, self)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(self.browse)

    def _set_directory(self, path: str) -> None:
        changed = QtCore.QDir(path) != QtCore.QDir(self._directory)
        self._directory = QtCore.QDir(path).absolutePath()
        self._button.setText(self._text or self._directory)
        if changed:
            self.directoryChanged.emit(self._directory)
        self.directorySelected.emit(self._directory)

    def _set_text(self, text: str) -> None:
        self._text = text
        self._button.setText(text or self._directory)

    directory = QtCore.Property(str, lambda self: self._directory, _set_directory)
    text = QtCore.Property(str, lambda self: self._text, _set_text)

    def browse(self) -> None:
        answer = ask("ctkDirectoryButton.browse", self.caption)
        if answer:
            self._set_directory(str(answer))


@register
class ctkMessageBox(QtWidgets.QMessageBox):
    dontShowAgainButtonRoles = stored("dontShowAgainButtonRoles", [], "QVariantList")
    dontShowAgainSettingsKey = stored("dontShowAgainSettingsKey", "")
    dontShowAgainVisible = stored("dontShowAgainVisible", False)

    def setDontShowAgain(self, value: bool) -> None:
        self._dont_show_again = value

    dontShowAgain = QtCore.Property(bool, lambda self: getattr(self, "_dont_show_again", False), setDontShowAgain)
