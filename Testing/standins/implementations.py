"""Which real PySide6 class does the work behind a wrapped class."""

from __future__ import annotations

import enum
import keyword

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

_OWN: dict[str, type] = {}


def register(cls: type) -> type:
    """Class decorator: this PySide6 subclass stands behind the CTK or Slicer class of the same name."""
    _OWN[cls.__name__] = cls
    return cls


def is_own(name: str) -> bool:
    return name in _OWN


def implementation(name: str) -> type | None:
    """The class that does the work, or ``None``: Qt 6 dropped it, or nobody wrote a stand-in for it."""
    if name in _OWN:
        return _OWN[name]
    for module in (QtCore, QtGui, QtWidgets, QtUiTools):
        found = getattr(module, name, None)
        if isinstance(found, type):
            return found
    return None


def enum_type(cpp_type: str, scope: str) -> type | None:
    """The PySide6 enum of a C++ type such as ``QComboBox::InsertPolicy``, or ``int`` for an enum of CTK or Slicer.

    Args:
        cpp_type: the type as the surface spells it, qualified or not.
        scope: the class that declares the member, for an unqualified name.

    Returns:
        The enum class, ``int``, or ``None`` when the type is no enum.
    """
    owner_name, _, short = cpp_type.rpartition("::")
    owner_name = owner_name or scope
    owner = implementation(owner_name)
    if owner is None or not short:
        return None
    if short in getattr(owner, "ENUMS", {}):
        return int
    found = getattr(owner, short, None)
    return found if isinstance(found, type) and issubclass(found, enum.Enum) else None


def enum_values(name: str) -> dict[str, dict[str, int]]:
    """Enumerators of a CTK or Slicer class by enum, as its stand-in states them."""
    return getattr(implementation(name), "ENUMS", {})


def pyside_name(name: str) -> str:
    """PySide6 appends an underscore to names that are Python keywords (``raise_``)."""
    return f"{name}_" if keyword.iskeyword(name) else name
