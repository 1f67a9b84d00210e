"""Python classes on top of wrapped Qt classes: own signals, and virtuals that C++ calls back (13, 34)."""

from __future__ import annotations

import types
from functools import cache

from PySide6 import QtCore

from standins.implementations import implementation, is_own
from standins.signals import BoundSignal
from standins.slot_errors import record
from standins.wrapper import Wrapper
from standins.wrapping import wrap

_CPP_NAMES = {int: "int", bool: "bool", float: "double", str: "QString"}


class Signal:
    """``qt.Signal(int)`` in the body of a Python class."""

    kind = "Signal"

    def __init__(self, *argument_types: object) -> None:
        if any(isinstance(item, list | tuple) for item in argument_types):
            raise TypeError("an overload of such a signal cannot be selected: give the types of one signature")
        self.argument_types = argument_types
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @property
    def signatures(self) -> tuple[str, ...]:
        names = [_CPP_NAMES.get(item, "PyObject") for item in self.argument_types]
        return (f"{self.name}({','.join(names)})",)

    @property
    def python_types(self) -> list[type]:
        return [item if item in _CPP_NAMES else object for item in self.argument_types]

    def __get__(self, instance: Wrapper | None, owner: type) -> object:
        return self if instance is None else BoundSignal(instance, self.name, self.signatures)


def slot(*_types: object) -> object:
    """``@qt.Slot(...)``: marks a method; connecting works without it as well."""
    return lambda function: function


@cache
def pyside_subclass(cls: type[Wrapper]) -> type:
    """A PySide6 class whose virtuals call the methods of ``cls``.

    Its constructor takes the wrapper first. Only Qt classes have shells: a virtual of a CTK or Slicer class cannot be
    overridden from Python (34).
    """
    surface = cls._standin_surface
    base = implementation(surface.name)
    own = [ancestor for ancestor in cls.__mro__ if issubclass(ancestor, Wrapper) and Wrapper not in ancestor.__bases__]
    own = [ancestor for ancestor in own if ancestor is not Wrapper]
    namespace: dict[str, object] = {}
    overrides: set[str] = set()
    for ancestor in reversed(own):
        for name, member in vars(ancestor).items():
            if isinstance(member, Signal):
                namespace[name] = QtCore.Signal(*member.python_types)
            elif _overrides(surface, base, name, member):
                namespace[name] = _shell(name, base)
                overrides.add(name)

    def construct(self: object, wrapper: Wrapper, *arguments: object) -> None:
        # Virtuals may be called while the base is constructed.
        object.__setattr__(wrapper, "_standin_target", self)
        base.__init__(self, *arguments)

    namespace |= {"__init__": construct, "_standin_overrides": frozenset(overrides)}
    return type(cls.__name__, (base,), namespace)


def _overrides(surface: object, base: type, name: str, member: object) -> bool:
    if is_own(surface.name) or not isinstance(member, types.FunctionType):
        return False
    return name in surface.methods and hasattr(base, name)


def _shell(name: str, base: type) -> object:
    def call_python(self: object, *arguments: object) -> object:
        wrapper = wrap(self)
        try:
            result = getattr(wrapper, name)(*(wrap(argument) for argument in arguments))
        except Exception as error:
            record(error)
            return getattr(base, name)(self, *arguments)
        return getattr(result, "_standin_target", result)

    call_python.__name__ = name
    return call_python
