"""From a PySide6 value to the Python value that PythonQt hands out."""

from __future__ import annotations

import enum
from weakref import WeakValueDictionary

import shiboken6

from standins.surface import class_names
from standins.wrapper import Wrapper

# PythonQt keeps one wrapper for each C++ object as long as Python holds it.
_by_pointer: WeakValueDictionary[int, Wrapper] = WeakValueDictionary()


def attach(wrapper: Wrapper, target: object) -> None:
    """Make ``wrapper`` the one wrapper of ``target``."""
    object.__setattr__(wrapper, "_standin_target", target)
    _by_pointer[shiboken6.getCppPointer(target)[0]] = wrapper


def wrap(value: object) -> object:
    """Enums as ``int``, lists as tuples, objects wrapped (17, 23, 33)."""
    if isinstance(value, enum.Enum):
        return int(value.value)
    if isinstance(value, list | tuple):
        return tuple(wrap(item) for item in value)
    if isinstance(value, dict):
        return {str(key): wrap(item) for key, item in value.items()}
    if isinstance(value, shiboken6.Object):
        return _wrap_object(value)
    return value


def _wrap_object(target: object) -> Wrapper:
    from standins.classes import wrapper_class  # its members need wrap()

    known = _by_pointer.get(shiboken6.getCppPointer(target)[0])
    if known is not None and known._standin_target is target:
        return known
    for ancestor in type(target).__mro__:
        if ancestor.__name__ in class_names():
            cls = wrapper_class(ancestor.__name__)
            wrapper = cls.__new__(cls)
            attach(wrapper, target)
            return wrapper
    raise TypeError(f"{type(target).__name__} is not in the listed surface; add it to scripts/build_api_surface.py")
