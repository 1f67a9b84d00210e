"""``ctkCollapsibleButton`` and ``ctkCollapsibleGroupBox``: a header that hides and shows what lies below it."""

from __future__ import annotations

from PySide6 import QtCore, QtGui, QtWidgets

from standins.implementations import register
from standins.stored import stored


class _Contents:
    """Hide and show children, without showing what the program itself has hidden."""

    def __init__(self, owner: QtWidgets.QWidget) -> None:
        self._owner = owner
        self._hidden_here: list[QtWidgets.QWidget] = []

    def hide(self) -> None:
        for child in self._owner.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            if not child.isHidden() or not child.testAttribute(QtCore.Qt.WA_WState_ExplicitShowHide):
                self._hidden_here.append(child)
                child.setVisible(False)

    def show(self) -> None:
        for child in self._hidden_here:
            child.setVisible(True)
        self._hidden_here = []


@register
class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    contentsCollapsed = QtCore.Signal(bool)
    collapsedHeight = stored("collapsedHeight", 0)
    flat = stored("flat", False)
    contentsFrameShape = stored("contentsFrameShape", 0, "QVariant")
    contentsFrameShadow = stored("contentsFrameShadow", 16, "QVariant")
    contentsLineWidth = stored("contentsLineWidth", 1)
    contentsMidLineWidth = stored("contentsMidLineWidth", 0)
    buttonTextAlignment = stored("buttonTextAlignment", 0x81, "QVariant")
    indicatorAlignment = stored("indicatorAlignment", 0x81, "QVariant")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._contents = _Contents(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def _on_toggled(self, opened: bool) -> None:
        if opened:
            self._contents.show()
        else:
            self._contents.hide()
        self.setMaximumHeight(16777215 if opened else self._header_height())
        self.contentsCollapsed.emit(not opened)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        super().childEvent(event)
        # Not when it is added: it is still being constructed, and PySide6 would take it for a plain QWidget for good.
        if event.polished() and not self.isChecked():
            self._contents.hide()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        if not self.isChecked():
            self._contents.hide()

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 8

    def minimumSizeHint(self) -> QtCore.QSize:
        return self.sizeHint()

    def sizeHint(self) -> QtCore.QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 40
        if self.layout() is None or not self.isChecked():
            return QtCore.QSize(width, self._header_height())
        return self.layout().totalSizeHint().expandedTo(QtCore.QSize(width, self._header_height()))

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() < self._header_height()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._header_height())
        option.text = f"{'▾' if self.isChecked() else '▸'} {self.text()}"
        painter.drawControl(QtWidgets.QStyle.CE_PushButton, option)


@register
class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    collapsedHeight = stored("collapsedHeight", 14)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._contents = _Contents(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._on_toggled)

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def _on_toggled(self, opened: bool) -> None:
        if opened:
            self._contents.show()
        else:
            self._contents.hide()

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        super().childEvent(event)
        # Not when it is added: it is still being constructed, and PySide6 would take it for a plain QWidget for good.
        if event.polished() and not self.isChecked():
            self._contents.hide()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        if not self.isChecked():
            self._contents.hide()
