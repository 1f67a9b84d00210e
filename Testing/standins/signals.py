"""Signals: connecting by text or by attribute, arguments cut to what the callable takes (7 to 12)."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass

import shiboken6
from PySide6 import QtCore

from standins.overloads import convert
from standins.slot_errors import guarded
from standins.wrapper import Wrapper, live_target
from standins.wrapping import wrap


@dataclass(frozen=True)
class _Connection:
    signature: str
    callable: Callable
    handle: QtCore.QMetaObject.Connection


# C++ address of the sender -> its connections to Python; dropped when the sender is destroyed.
_connections: dict[int, list[_Connection]] = {}


class BoundSignal:
    """``button.clicked``: connect, disconnect and emit; calling it emits too (12). There is no ``[type]`` (9)."""

    def __init__(self, instance: Wrapper, name: str, signatures: tuple[str, ...]) -> None:
        self._instance, self.__name__, self.signatures = instance, name, signatures

    def connect(self, *arguments: object) -> bool:
        if len(arguments) != 1:
            raise ValueError("Called connect with wrong number of arguments")
        return connect(self._instance, self.signatures[0], arguments[0])

    def disconnect(self, *arguments: object) -> bool:
        if len(arguments) > 1:
            raise ValueError("Called disconnect with wrong number of arguments")
        return disconnect(self._instance, self.signatures[0], arguments[0] if arguments else None)

    def emit(self, *arguments: object) -> None:
        target = live_target(self._instance)
        class_name = self._instance._standin_surface.name
        if target is None:
            raise ValueError(f"Trying to call '{self.__name__}' on a destroyed {class_name} object")
        overloads = tuple(argument_types(signature) for signature in self.signatures)
        values = convert(class_name, self.__name__, overloads, arguments)
        signal = getattr(target, self.__name__)
        if len(overloads) > 1:
            signal = signal[_pyside_types(self._overload_for(class_name, arguments))]
        signal.emit(*values)

    def _overload_for(self, class_name: str, arguments: tuple) -> tuple[str, ...]:
        """The first overload that takes the arguments."""
        for signature in self.signatures:
            try:
                convert(class_name, self.__name__, (argument_types(signature),), arguments)
                return argument_types(signature)
            except ValueError:
                continue
        raise ValueError(f"no overload of {self.__name__} takes {arguments}")

    __call__ = emit

    def __eq__(self, other: object) -> bool:
        same_kind = isinstance(other, BoundSignal)
        return same_kind and self._instance is other._instance and self.__name__ == other.__name__

    def __hash__(self) -> int:
        return hash((id(self._instance), self.__name__))


def argument_types(signature: str) -> tuple[str, ...]:
    """``finished(int,QProcess::ExitStatus)`` gives ``("int", "QProcess::ExitStatus")``."""
    inside = signature[signature.index("(") + 1 : signature.rindex(")")]
    return tuple(inside.split(",")) if inside else ()


def connect(wrapper: Wrapper, signature: str, receiver: object) -> bool:
    """Connect a listed signal; anything else is said on stderr and answered with ``False`` (8)."""
    target = live_target(wrapper)
    wanted = signature.replace(" ", "")
    if target is None or not isinstance(target, QtCore.QObject) or wanted not in _signatures(wrapper):
        print(f"signal {signature} does not exist on {wrapper!r}", file=sys.stderr)
        return False
    if not callable(receiver):
        return False
    handle = QtCore.QObject.connect(target, QtCore.SIGNAL(_pyside_signature(wanted)), _receiver(receiver))
    address = shiboken6.getCppPointer(target)[0]
    if address not in _connections:
        _connections[address] = []
        target.destroyed.connect(lambda *_: _connections.pop(address, None))
    _connections[address].append(_Connection(wanted, receiver, handle))
    return True


def disconnect(wrapper: Wrapper, signature: str, receiver: object = None) -> bool:
    """Take back the connections to an equal callable (all, without one); ``False`` if there was none (11)."""
    target = live_target(wrapper)
    wanted = signature.replace(" ", "")
    if target is None:
        return False
    made = _connections.get(shiboken6.getCppPointer(target)[0], [])
    ended = [c for c in made if c.signature == wanted and (receiver is None or c.callable == receiver)]
    for connection in ended:
        QtCore.QObject.disconnect(connection.handle)
        made.remove(connection)
    return bool(ended)


def _signatures(wrapper: Wrapper) -> set[str]:
    """All signal signatures of the object, those of a Python subclass included."""
    found: set[str] = set()
    for ancestor in type(wrapper).__mro__:
        for member in vars(ancestor).values():
            if getattr(member, "kind", "") == "Signal":
                found.update(member.signatures)
    return found


def _pyside_types(types_of: tuple[str, ...]) -> str:
    """VTK pointers travel through PySide6 signals as Python objects."""
    return ",".join("PyObject" if name.startswith("vtk") else name for name in types_of)


def _pyside_signature(signature: str) -> str:
    return f"{signature[: signature.index('(')]}({_pyside_types(argument_types(signature))})"


def _receiver(function: Callable) -> Callable:
    limit = accepted_arguments(function)

    def receive(*arguments: object) -> None:
        wrapped = tuple(wrap(argument) for argument in arguments)
        guarded(function, *wrapped[:limit])

    return receive


def accepted_arguments(function: Callable) -> int | None:
    """How many arguments a Python function or bound method takes; ``None``: give it all (partials, slots) (10)."""
    plain_function = function.__func__ if isinstance(function, types.MethodType) else function
    if not isinstance(plain_function, types.FunctionType) or plain_function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return plain_function.__code__.co_argcount - (plain_function is not function)
