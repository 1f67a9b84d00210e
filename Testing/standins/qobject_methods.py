"""The methods that PythonQt itself gives to wrapped objects."""

from __future__ import annotations

import shiboken6
from PySide6 import QtCore

from standins import signals
from standins.calls import internal
from standins.cpp_types import plain
from standins.gaps import StandInGap
from standins.wrapper import Wrapper, is_python_subclass, keep_with_target, live_target


@internal("className")
def class_name(wrapper: Wrapper) -> str:
    return type(wrapper).__name__


@internal("inherits")
def inherits(wrapper: Wrapper, name: str) -> bool:
    return name in wrapper._standin_surface.chain


@internal("help")
def help_text(wrapper: Wrapper) -> None:
    raise StandInGap(wrapper._standin_surface.name, "help")


@internal("delete")
def delete(wrapper: Wrapper) -> None:
    shiboken6.delete(live_target(wrapper))


@internal("connect")
def connect(wrapper: Wrapper, signature: str, receiver: object, slot: str | None = None) -> bool:
    if slot is None:
        return signals.connect(wrapper, signature, receiver)
    bound = getattr(receiver, slot.split("(")[0], None)
    if bound is None:
        return False
    return signals.connect(wrapper, signature, bound)


@internal("disconnect")
def disconnect(wrapper: Wrapper, signature: str, receiver: object = None) -> bool:
    return signals.disconnect(wrapper, signature, receiver)


@internal("parent")
def parent(wrapper: Wrapper) -> object:
    return live_target(wrapper).parent()


@internal("setParent")
def set_parent(wrapper: Wrapper, new_parent: Wrapper | None) -> None:
    if new_parent is not None and not isinstance(new_parent, Wrapper):
        raise ValueError(f"Called setParent(QObject*) with wrong arguments: ({new_parent!r},)")
    live_target(wrapper).setParent(None if new_parent is None else live_target(new_parent))
    if new_parent is not None and is_python_subclass(type(wrapper)):
        keep_with_target(wrapper)


@internal("children")
def children(wrapper: Wrapper) -> list:
    return live_target(wrapper).children()


@internal("property")
def property_value(wrapper: Wrapper, name: str) -> object:
    return live_target(wrapper).property(name)


@internal("setProperty")
def set_property(wrapper: Wrapper, name: str, value: object) -> bool:
    return live_target(wrapper).setProperty(name, plain(value))


@internal("metaObject")
def meta_object(wrapper: Wrapper) -> None:
    raise StandInGap(wrapper._standin_surface.name, "metaObject")


@internal("tr")
def translated(wrapper: Wrapper, text: str, *_: object) -> str:
    return text


@internal("findChild")
def find_child(wrapper: Wrapper, kind: object, name: str = "") -> QtCore.QObject | None:
    found = find_children(wrapper, kind, name)
    return found[0] if found else None


@internal("findChildren")
def find_children(wrapper: Wrapper, kind: object, name: str = "") -> list[QtCore.QObject]:
    """Descendants of a type, given as wrapper class, instance or class name (24)."""
    if isinstance(kind, str):
        wanted = kind
    elif hasattr(kind, "_standin_surface"):
        wanted = kind._standin_surface.name
    else:
        raise ValueError(f"Could not find matching overload for given arguments:\n({kind!r}, {name!r})")
    descendants = live_target(wrapper).findChildren(QtCore.QObject)
    return [child for child in descendants if child.inherits(wanted) and (not name or child.objectName() == name)]
