"""Call a wrapped method: arguments converted, result wrapped, errors as PythonQt words them."""

from __future__ import annotations

from collections.abc import Callable

from standins.implementations import implementation
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


class BoundSlot:
    """``widget.setText``: callable with positional arguments only (14)."""

    def __init__(
        self, class_name: str, name: str, overloads: Overloads | None, instance: Wrapper | None, static: bool = False
    ) -> None:
        self._class_name, self.__name__, self._overloads = class_name, name, overloads
        self._instance, self._static = instance, static

    def __call__(self, *arguments: object, **keywords: object) -> object:
        refuse_keywords(self._class_name, self.__name__, keywords)
        if self._static:
            return wrap(self._call(None, self._converted(arguments)))
        instance = self._instance
        if instance is None:
            instance, *rest = arguments or (None,)
            arguments = tuple(rest)
            if not isinstance(instance, Wrapper) or self._class_name not in instance._standin_surface.chain:
                raise ValueError(f"slot {self.__name__} requires {self._class_name} instance as first argument")
        target = live_target(instance)
        if target is None:
            raise ValueError(f"Trying to call '{self.__name__}' on a destroyed {self._class_name} object")
        if self.__name__ in _INTERNAL and self._overloads == ():
            return wrap(_INTERNAL[self.__name__](instance, *arguments))
        result = wrap(self._call(target, self._converted(arguments)))
        if self.__name__.startswith(_OWNING_PREFIXES):
            for argument in arguments:
                if isinstance(argument, Wrapper) and is_python_subclass(type(argument)):
                    keep_with_target(argument)
        return result

    def _converted(self, arguments: tuple) -> list:
        if self._overloads is None:
            return [getattr(argument, "_standin_target", argument) for argument in arguments]
        return convert(self._class_name, self.__name__, self._overloads, arguments)

    def _call(self, target: object | None, values: list) -> object:
        name = self.__name__
        base = implementation(self._class_name)
        for ancestor in base.__mro__:
            if (ancestor.__name__, name) in _REPLACED:
                return _REPLACED[ancestor.__name__, name](target, *values)
        if target is None:
            return getattr(base, name)(*values)
        if hasattr(type(target), "_standin_overrides") and name in type(target)._standin_overrides:
            return getattr(base, name)(target, *values)
        return getattr(target, name)(*values)

    def __eq__(self, other: object) -> bool:
        same_kind = isinstance(other, BoundSlot)
        return same_kind and (self._instance is other._instance) and self.__name__ == other.__name__

    def __hash__(self) -> int:
        return hash((id(self._instance), self.__name__))

    def __repr__(self) -> str:
        if self._instance is None:
            return f"<unbound qt slot {self.__name__} of {self._class_name} type>"
        return f"<qt slot {self.__name__} of {type(self._instance).__name__} instance at {id(self._instance):#x}>"
