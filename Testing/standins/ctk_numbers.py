"""``ctkDoubleSpinBox`` and ``ctkSliderWidget``: widgets around Qt's spin box and slider."""

from __future__ import annotations

from typing import ClassVar

from PySide6 import QtCore, QtWidgets

from standins.implementations import register
from standins.stored import stored


def _forwarded(kind: type, inner: str, getter: str, setter: str) -> QtCore.Property:
    """A property that belongs to the inner widget."""

    def read(self: QtWidgets.QWidget) -> object:
        return getattr(getattr(self, inner), getter)()

    def write(self: QtWidgets.QWidget, value: object) -> None:
        getattr(getattr(self, inner), setter)(value)

    return QtCore.Property(kind, read, write)


def _row(owner: QtWidgets.QWidget, *widgets: QtWidgets.QWidget) -> None:
    layout = QtWidgets.QHBoxLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)


@register
class ctkDoubleSpinBox(QtWidgets.QWidget):
    ENUMS: ClassVar = {
        "SetMode": {"SetAlways": 0, "SetIfDifferent": 1},
        "DecimalsOption": {
            **{"FixedDecimals": 0, "DecimalsByShortcuts": 1, "DecimalsByKey": 2, "DecimalsByValue": 4},
            **{"InsertDecimals": 8, "ReplaceDecimals": 16, "DecimalsAsMax": 32, "DecimalsAsMin": 64},
            "DecimalPointAlwaysVisible": 128,
        },
        "SizeHintPolicy": {"SizeHintByMinMax": 0, "SizeHintByValue": 1},
    }
    ENUMS["DecimalsOptions"] = ENUMS["DecimalsOption"]

    valueChanged = QtCore.Signal((float,), (str,))
    editingFinished = QtCore.Signal()
    decimalsChanged = QtCore.Signal(int)

    alignment = stored("alignment", 1, "QVariant")
    frame = _forwarded(bool, "_spin_box", "hasFrame", "setFrame")
    readOnly = _forwarded(bool, "_spin_box", "isReadOnly", "setReadOnly")
    prefix = _forwarded(str, "_spin_box", "prefix", "setPrefix")
    suffix = _forwarded(str, "_spin_box", "suffix", "setSuffix")
    minimum = _forwarded(float, "_spin_box", "minimum", "setMinimum")
    maximum = _forwarded(float, "_spin_box", "maximum", "setMaximum")
    singleStep = _forwarded(float, "_spin_box", "singleStep", "setSingleStep")
    value = _forwarded(float, "_spin_box", "value", "setValue")
    decimals = _forwarded(int, "_spin_box", "decimals", "setDecimals")
    cleanText = QtCore.Property(str, lambda self: self._spin_box.cleanText())
    decimalsOption = stored("decimalsOption", 7, "QVariant")
    setMode = stored("setMode", 1, "QVariant")
    invertedControls = stored("invertedControls", False)
    sizeHintPolicy = stored("sizeHintPolicy", 0, "QVariant")
    isSettingValue = QtCore.Property(bool, lambda self: False)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._spin_box = QtWidgets.QDoubleSpinBox(self)
        _row(self, self._spin_box)
        self._spin_box.valueChanged.connect(self._on_value)
        self._spin_box.editingFinished.connect(self.editingFinished)

    def _on_value(self, value: float) -> None:
        self.valueChanged["double"].emit(value)
        self.valueChanged["QString"].emit(self._spin_box.text())

    def setValue(self, value: float) -> None:
        self._spin_box.setValue(value)

    setValueIfDifferent = setValue

    def setDecimals(self, decimals: int) -> None:
        self._spin_box.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def setReadOnly(self, read_only: bool) -> None:
        self._spin_box.setReadOnly(read_only)

    def stepUp(self) -> None:
        self._spin_box.stepUp()

    def stepDown(self) -> None:
        self._spin_box.stepDown()


@register
class ctkSliderWidget(QtWidgets.QWidget):
    ENUMS: ClassVar = {"SynchronizeSiblings": {"NoSynchronize": 0, "SynchronizeWidth": 1, "SynchronizeDecimals": 2}}
    ENUMS["SynchronizeSibling"] = ENUMS["SynchronizeSiblings"]

    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)
    decimalsChanged = QtCore.Signal(int)

    value = _forwarded(float, "_spin_box", "value", "setValue")
    prefix = _forwarded(str, "_spin_box", "prefix", "setPrefix")
    suffix = _forwarded(str, "_spin_box", "suffix", "setSuffix")
    pageStep = stored("pageStep", 10.0)
    tickInterval = stored("tickInterval", 0.0)
    tickPosition = stored("tickPosition", 0, "QVariant")
    synchronizeSiblings = stored("synchronizeSiblings", 3, "QVariant")
    spinBoxAlignment = stored("spinBoxAlignment", 130, "QVariant")
    tracking = stored("tracking", True)
    popupSlider = stored("popupSlider", False)
    invertedAppearance = stored("invertedAppearance", False)
    invertedControls = stored("invertedControls", False)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal, self)
        self._spin_box = QtWidgets.QDoubleSpinBox(self)
        self._spin_box.setSingleStep(1.0)
        _row(self, self._slider, self._spin_box)
        self._fit_slider()
        self._slider.valueChanged.connect(lambda step: self._spin_box.setValue(step * self._spin_box.singleStep()))
        self._spin_box.valueChanged.connect(self._on_value)

    def _fit_slider(self) -> None:
        step = self._spin_box.singleStep() or 1.0
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(round(self._spin_box.minimum() / step), round(self._spin_box.maximum() / step))
        self._slider.setValue(round(self._spin_box.value() / step))
        self._slider.blockSignals(blocked)

    def _on_value(self, value: float) -> None:
        self._fit_slider()
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _set(self, setter: str, value: float) -> None:
        getattr(self._spin_box, setter)(value)
        self._fit_slider()

    minimum = QtCore.Property(float, lambda self: self._spin_box.minimum(), lambda self, v: self._set("setMinimum", v))
    maximum = QtCore.Property(float, lambda self: self._spin_box.maximum(), lambda self, v: self._set("setMaximum", v))
    singleStep = QtCore.Property(
        float, lambda self: self._spin_box.singleStep(), lambda self, v: self._set("setSingleStep", v)
    )
    decimals = QtCore.Property(int, lambda self: self._spin_box.decimals(), lambda self, v: self.setDecimals(v))
    spinBoxVisible = QtCore.Property(
        bool, lambda self: not self._spin_box.isHidden(), lambda self, v: self._spin_box.setVisible(v)
    )

    def setValue(self, value: float) -> None:
        self._spin_box.setValue(value)

    def setDecimals(self, decimals: int) -> None:
        self._spin_box.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin_box.setVisible(visible)

    def reset(self) -> None:
        self._spin_box.setValue(self._spin_box.minimum())
