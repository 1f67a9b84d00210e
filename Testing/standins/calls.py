"""Call a wrapped method: arguments converted, result wrapped, errors as PythonQt words them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from standins.implementations import implementation, pyside_name
from standins.overloads import convert, refuse_keywords
from standins.surface import Overloads
from standins.wrapper import Wrapper, is_python_subclass, keep_with_target, live_target
from standins.wrapping import wrap

# (class that introduces it, method) -> what is done instead of the PySide6 call. The function gets the target
# (``None`` for a static function) and the converted arguments.
_REPLACED: dict[tuple[str, str], Callable] = {}
# The same for PythonQt's own methods; the function gets the wrapper and the arguments as they came.
_INTERNAL: dict[str, Callable] = {}

# These take the object over into C++ (26, 27, 28).
_OWNING_PREFIXES = ("add", "insert", "setItem", "setWidget", "setLayout", "setCentralWidget", "setCellWidget")


def replaces(class_name: str, name: str) -> Callable[[Callable], Callable]:
    """Decorator: do this instead of the PySide6 method, for the class and its subclasses."""

    def register(function: Callable) -> Callable:
        _REPLACED[class_name, name] = function
        return function

    return register


def internal(name: str) -> Callable[[Callable], Callable]:
    """Decorator: one of the methods that PythonQt gives to every wrapper."""

    def register(function: Callable) -> Callable:
        _INTERNAL[name] = function
        return function

    return register


@dataclass(frozen=True)
class Slot:
    """One method name of a class: its overloads on an instance and, often of the same name, its static ones."""

    class_name: str
    name: str
    overloads: Overloads = ()
    static: Overloads = ()


class BoundSlot:
    """``widget.setText``: callable with positional arguments only (14)."""

    def __init__(self, slot: Slot, instance: Wrapper | None) -> None:
        self._slot, self._instance = slot, instance
        self.__name__ = slot.name

    def __call__(self, *arguments: object, **keywords: object) -> object:
        slot = self._slot
        refuse_keywords(slot.class_name, slot.name, keywords)
        if slot.static and (not slot.overloads or _fits(slot, slot.static, arguments)):
            return wrap(self._run(None, convert(slot.class_name, slot.name, slot.static, arguments)))
        instance = self._instance
        if instance is None:
            instance, *rest = arguments or (None,)
            arguments = tuple(rest)
            if not isinstance(instance, Wrapper) or slot.class_name not in instance._standin_surface.chain:
                raise ValueError(f"slot {slot.name} requires {slot.class_name} instance as first argument")
        target = live_target(instance)
        if target is None:
            raise ValueError(f"Trying to call '{slot.name}' on a destroyed {slot.class_name} object")
        if slot.name in _INTERNAL and not slot.overloads:
            return wrap(_INTERNAL[slot.name](instance, *arguments))
        result = wrap(self._run(target, convert(slot.class_name, slot.name, slot.overloads, arguments)))
        if slot.name.startswith(_OWNING_PREFIXES):
            for argument in arguments:
                if isinstance(argument, Wrapper) and is_python_subclass(type(argument)):
                    keep_with_target(argument)
        return result

    def _run(self, target: object | None, values: list) -> object:
        name = self._slot.name
        base = implementation(self._slot.class_name)
        for ancestor in base.__mro__:
            if (ancestor.__name__, name) in _REPLACED:
                return _REPLACED[ancestor.__name__, name](target, *values)
        name = pyside_name(name)
        if target is None:
            return getattr(base, name)(*values)
        if name in getattr(type(target), "_standin_overrides", ()):
            # A Python subclass calls its base: the target's own method would come back to Python.
            return getattr(base, name)(target, *values)
        return getattr(target, name)(*values)

    def __eq__(self, other: object) -> bool:
        same_kind = isinstance(other, BoundSlot)
        return same_kind and (self._instance is other._instance) and self.__name__ == other.__name__

    def __hash__(self) -> int:
        return hash((id(self._instance), self.__name__))

    def __repr__(self) -> str:
        if self._instance is None:
            return f"<unbound qt slot {self.__name__} of {self._slot.class_name} type>"
        return f"<qt slot {self.__name__} of {type(self._instance).__name__} instance at {id(self._instance):#x}>"


def _fits(slot: Slot, overloads: Overloads, arguments: tuple) -> bool:
    try:
        convert(slot.class_name, slot.name, overloads, arguments)
    except ValueError:
        return False
    return True
