"""The module ``qt``: every listed Qt class, flat (38)."""

from __future__ import annotations

from types import ModuleType

from PySide6 import QtCore

import standins.dialogs
import standins.qobject_methods  # noqa: F401 (both are imported for what they register)
from standins.classes import wrapper_class
from standins.slot_errors import guarded
from standins.subclassing import Signal, slot
from standins.surface import class_names
from standins.wrapper import Wrapper, WrapperClass


class WrapperModule(ModuleType):
    """A module whose attributes are wrapper classes, built when they are first asked for."""

    def __init__(self, name: str, prefixes: tuple[str, ...]) -> None:
        super().__init__(name)
        self._prefixes = prefixes

    def __getattr__(self, name: str) -> type[Wrapper]:
        if name.startswith(self._prefixes) and name in class_names():
            try:
                return wrapper_class(name)
            except KeyError:
                pass
        raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")


def single_shot(*arguments: object) -> None:
    """``QTimer.singleShot(msec, callable)`` or ``(msec, object, "slot()")``: Slicer's own function (20)."""
    if len(arguments) == 2 and callable(arguments[1]):
        function = arguments[1]
    elif len(arguments) == 3 and isinstance(arguments[1], Wrapper) and isinstance(arguments[2], str):
        function = getattr(arguments[1], arguments[2].split("(")[0])
    else:
        raise ValueError(f"Called QTimer.singleShot with wrong arguments: {arguments}")
    QtCore.QTimer.singleShot(int(arguments[0]), lambda: guarded(function))


def make_qt() -> WrapperModule:
    module = WrapperModule("qt", ("Q",))
    module.Signal, module.Slot = Signal, slot
    WrapperClass.__setattr__(wrapper_class("QTimer"), "singleShot", staticmethod(single_shot))
    return module


def make_ctk() -> WrapperModule:
    return WrapperModule("ctk", ("ctk",))
