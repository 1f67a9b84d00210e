"""Build the wrapper class of a listed class: its members by PythonQt's order of lookup."""

from __future__ import annotations

import enum
from functools import cache

from standins.calls import Slot
from standins.gaps import GapMember
from standins.implementations import enum_values, implementation, is_own, pyside_name
from standins.members import MethodMember, PropertyMember, SignalMember
from standins.surface import INTERNAL_METHODS, INTERNAL_QOBJECT_METHODS, ClassSurface, class_surface
from standins.wrapper import Wrapper, WrapperClass

# Operators that PythonQt maps to Python's own.
_OPERATORS = {"__add__", "__sub__", "__mul__", "__lt__", "__le__", "__gt__", "__ge__"}


@cache
def wrapper_class(name: str) -> type[Wrapper]:
    """The wrapper class of a listed class; there is one for each name, so ``type(w) == qt.QLabel`` works.

    A property hides a method of the same name, which hides an enumerator (1).

    Raises:
        KeyError: the class is not listed, or neither Qt 6 nor these stand-ins implement it.
    """
    surface = class_surface(name)
    if implementation(name) is None:
        raise KeyError(name)
    members = {**_enums(surface), **_signals(surface), **_methods(surface), **_properties(surface)}
    return WrapperClass(
        name,
        (Wrapper,),
        {**members, "__slots__": (), "__module__": "slicer", "_standin_surface": surface, "_standin_members": members},
    )


def _is_gap(surface: ClassSurface, kind: str, name: str) -> bool:
    """Whether CTK or Slicer adds this member to Qt's; what Qt itself has and PySide6 lacks is gone in Qt 6."""
    qt_base = next((class_surface(ancestor) for ancestor in surface.chain if ancestor.startswith("Q")), None)
    return is_own(surface.name) and (qt_base is None or name not in getattr(qt_base, kind))


def _enums(surface: ClassSurface) -> dict[str, object]:
    """Enum types are bare ``int`` subclasses without members; the enumerators lie on the class (17, 18)."""
    target = implementation(surface.name)
    own = {key: values for ancestor in surface.chain for key, values in enum_values(ancestor).items()}
    members: dict[str, object] = {}
    for enum_name, keys in surface.enums.items():
        kind = type(enum_name, (int,), {})
        members[enum_name] = kind
        for key in keys:
            if enum_name in own:
                members[key] = kind(own[enum_name][key])
            elif isinstance(getattr(target, key, None), enum.Enum):
                members[key] = kind(getattr(target, key).value)
    return members


def _signals(surface: ClassSurface) -> dict[str, object]:
    target = implementation(surface.name)
    members: dict[str, object] = {}
    for signal, signatures in surface.signals.items():
        if hasattr(target, signal):
            members[signal] = SignalMember(surface.name, signal, signatures)
        elif _is_gap(surface, "signals", signal):
            members[signal] = GapMember(surface.name, signal)
    return members


def _methods(surface: ClassSurface) -> dict[str, object]:
    target = implementation(surface.name)
    internal = (*INTERNAL_METHODS, *(INTERNAL_QOBJECT_METHODS if surface.is_qobject else ()))
    members: dict[str, object] = {}
    for name in {**surface.methods, **surface.static}:
        if name.startswith("__") and name not in _OPERATORS:
            continue
        if hasattr(target, pyside_name(name)):
            slot = Slot(surface.name, name, surface.methods.get(name, ()), surface.static.get(name, ()))
            members[name] = MethodMember(slot)
        elif _is_gap(surface, "methods", name) and _is_gap(surface, "static", name):
            members[name] = GapMember(surface.name, name)
    members |= {name: MethodMember(Slot(surface.name, name)) for name in internal}
    return members


def _properties(surface: ClassSurface) -> dict[str, object]:
    if not surface.is_qobject:
        return {}
    meta = implementation(surface.name).staticMetaObject
    members: dict[str, object] = {}
    for name, details in surface.properties.items():
        alias = "objectName" if name == "name" and details.declared_in == "QObject" else name
        if meta.indexOfProperty(alias) >= 0:
            members[name] = PropertyMember(surface.name, name, alias, details)
        elif _is_gap(surface, "properties", name):
            members[name] = GapMember(surface.name, name)
    return members
