"""The Python side of a wrapped C++ object, after PythonQt's instance wrapper."""

from __future__ import annotations

import threading
from typing import ClassVar

import shiboken6
from PySide6 import QtCore

from standins.cpp_types import plain
from standins.implementations import implementation
from standins.overloads import convert, refuse_keywords
from standins.surface import ClassSurface


class WrapperClass(type):
    """The type of wrapper classes (``PythonQtClassWrapper``)."""

    def __getattr__(cls, name: str) -> object:
        if name.endswith("_") and not name.startswith("_"):
            return getattr(cls, name[:-1])
        raise AttributeError(f"type object '{cls.__name__}' has no attribute '{name}'")


class Wrapper(metaclass=WrapperClass):
    """One wrapped object. Each wrapper class derives from this one directly: ``isinstance`` sees no inheritance (6)."""

    __slots__ = ("__weakref__", "_standin_target")
    _standin_surface: ClassSurface
    _standin_members: ClassVar[dict[str, object]] = {}

    def __init__(self, *arguments: object, **keywords: object) -> None:
        from standins.subclassing import pyside_subclass  # it needs this class
        from standins.wrapping import attach

        surface = self._standin_surface
        refuse_keywords(surface.name, surface.name, keywords)
        if not surface.constructors:
            raise ValueError(f"No constructors available for {surface.name}")
        values = convert(surface.name, surface.name, surface.constructors, arguments)
        if not is_python_subclass(type(self)):
            attach(self, implementation(surface.name)(*values))
            return
        attach(self, pyside_subclass(type(self))(self, *values))
        if surface.is_qobject and self._standin_target.parent() is not None:
            keep_with_target(self)

    def __getattr__(self, name: str) -> object:
        """Last resorts of the lookup: a trailing underscore, a dynamic property, a direct child (16, 4, 24)."""
        from standins.wrapping import wrap

        cls = type(self)
        class_name = cls._standin_surface.name
        if name.startswith("__") or name == "_standin_target":
            raise AttributeError(f"{class_name} has no attribute named '{name}'")
        if name.endswith("_") and getattr(cls._standin_members.get(name[:-1]), "kind", "") == "Slot":
            return getattr(self, name[:-1])
        target = live_target(self)
        if isinstance(target, QtCore.QObject):
            if _has_dynamic_property(target, name):
                return wrap(target.property(name))
            for child in target.children():
                if child.objectName() == name:
                    return wrap(child)
        raise AttributeError(f"{class_name} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: object) -> None:
        cls = type(self)
        member = cls._standin_members.get(name)
        target = live_target(self)
        if hasattr(type(member), "__set__"):
            type(member).__set__(member, self, value)
        elif member is not None:
            kind = getattr(member, "kind", "EnumValue")
            raise AttributeError(f"{kind} '{name}' can not be overwritten on {cls.__name__} object")
        elif isinstance(target, QtCore.QObject) and _has_dynamic_property(target, name):
            target.setProperty(name, plain(value))
        elif is_python_subclass(cls):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError(
                f"'{name}' does not exist on {cls.__name__} and creating new attributes on C++ objects is not allowed"
            )

    def __bool__(self) -> bool:
        return live_target(self) is not None

    def __eq__(self, other: object) -> bool:
        mine = live_target(self)
        if other is None:
            return mine is None
        if not isinstance(other, Wrapper):
            return NotImplemented
        theirs = live_target(other)
        if mine is None or theirs is None or isinstance(mine, QtCore.QObject):
            return mine is theirs
        return mine is theirs or (type(mine) is type(theirs) and bool(mine == theirs))

    def __hash__(self) -> int:
        return id(getattr(self, "_standin_target", None))

    def __repr__(self) -> str:
        return f"{type(self).__name__} ({self._standin_surface.name} at: {id(self):#x})"

    def __str__(self) -> str:
        target = live_target(self)
        if isinstance(target, QtCore.QByteArray):
            return bytes(target.data()).decode()
        return repr(self)


def is_python_subclass(cls: type) -> bool:
    """Whether a class was written in Python on top of a wrapper class."""
    return Wrapper not in cls.__bases__


class WrongThread(RuntimeError):
    """A GUI object was touched outside the main thread; Slicer may crash there, now or later."""


def live_target(wrapper: Wrapper) -> object | None:
    """The PySide6 object, or ``None`` when C++ has deleted it (25) or ``super().__init__`` has not run (13).

    Raises:
        WrongThread: a ``QObject`` is touched outside the main thread (37).
    """
    target = getattr(wrapper, "_standin_target", None)
    if target is None or not shiboken6.isValid(target):
        return None
    if isinstance(target, QtCore.QObject) and threading.current_thread() is not threading.main_thread():
        raise WrongThread(f"{type(wrapper).__name__} touched in thread {threading.current_thread().name}")
    return target


def keep_with_target(wrapper: Wrapper) -> None:
    """C++ owns the object now: the Python part of a subclass lives as long as it does (26)."""
    wrapper._standin_target.__dict__["_standin_keep"] = wrapper


def _has_dynamic_property(target: QtCore.QObject, name: str) -> bool:
    return name.encode() in [bytes(key.data()) for key in target.dynamicPropertyNames()]
