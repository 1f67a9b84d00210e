"""A Qt property that only has to remember its value."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore


def stored(name: str, default: object, kind: object = None) -> QtCore.Property:
    """Property ``name``.

    Args:
        name: the attribute it is assigned to.
        default: its value at first.
        kind: a type or the name of a C++ type; without it the type of the default. ``"QVariant"`` for enums.
    """

    def read(self: QtCore.QObject) -> object:
        return self.__dict__.get(f"_{name}", default)

    def write(self: QtCore.QObject, value: object) -> None:
        self.__dict__[f"_{name}"] = value

    return QtCore.Property(kind or type(default), read, write)


def add_setters(cls: type, *names: str) -> None:
    """Give a class the slots ``setName`` of these properties, where the real class has them, too."""
    for name in names:
        setattr(cls, f"set{name[0].upper()}{name[1:]}", _setter(name))


def _setter(name: str) -> Callable[[QtCore.QObject, object], None]:
    def call(self: QtCore.QObject, value: object) -> None:
        self.setProperty(name, value)

    return call
