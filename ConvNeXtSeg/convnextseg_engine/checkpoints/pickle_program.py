"""The instructions of a pickle that are carried out, and those that are refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

from .pickle_machine import Malformed, PickleMachine, decoded
from .unsafe import UnsafeCheckpoint


def run_pickle(file: BinaryIO, size: int, names: dict[str, Any], persistent: Callable[[Any], Any] | None = None) -> Any:
    """Return what the pickle at the file's position describes; the arguments are those of :class:`PickleMachine`.

    Raises:
        UnsafeCheckpoint: If it asks for a name outside the table, or for more memory than it may have.
        Malformed: If it is no valid pickle.
    """
    machine = PickleMachine(file, size, names, persistent)
    while (code := machine.read(1)) != pickle.STOP:
        instruction = _INSTRUCTIONS.get(code)
        if instruction is None:
            raise _refusal(code)
        instruction(machine)
    return machine.pop()


def _refusal(code: bytes) -> Exception:
    if code in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
        return UnsafeCheckpoint("a registered extension of Python")
    if code == pickle.NEWOBJ_EX:
        return UnsafeCheckpoint("an object with keyword arguments")
    return Malformed(f"the byte 0x{code.hex()} is no instruction")


def _protocol(machine: PickleMachine) -> None:
    if machine.number("<B") > pickle.HIGHEST_PROTOCOL:
        raise Malformed("it has a protocol that this version does not know")


def _decimal(machine: PickleMachine) -> None:
    line = machine.line()
    if line in (b"00", b"01"):  # how protocol 0 writes False and True
        machine.push(line == b"01")
    else:
        machine.push_sized(_parsed(int, line.rstrip(b"L")))


def _parsed(kind: Callable[[bytes], Any], line: bytes) -> Any:
    try:
        return kind(line)
    except ValueError as error:
        raise Malformed("it holds a number that cannot be read") from error


def _quoted(machine: PickleMachine) -> None:
    """A text of protocol 0; escapes, which genuine names and keys do not have, are not read."""
    line = machine.line()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1] or b"\\" in line:
        raise Malformed("it holds a text that cannot be read")
    machine.push_sized(decoded(line[1:-1]))


def _escaped(line: bytes) -> str:
    try:
        return line.decode("raw-unicode-escape")
    except UnicodeDecodeError as error:
        raise Malformed("it holds a text that cannot be read") from error


def _bytes_of(form: str) -> Callable[[PickleMachine], None]:
    return lambda m: m.push_sized(m.read(m.number(form)))


def _text_of(form: str) -> Callable[[PickleMachine], None]:
    return lambda m: m.push_sized(m.text(m.number(form)))


def _old_text_of(form: str) -> Callable[[PickleMachine], None]:
    """Python 2's str, which holds names and keys, and numpy's raw bytes as Latin-1."""
    return lambda m: m.push_sized(m.read(m.number(form)).decode("latin-1"))


def _dictionary(machine: PickleMachine) -> None:
    items = machine.pop_to_mark()
    machine.push_container({})
    machine.set_items(items)


def _frozen_set(machine: PickleMachine) -> None:
    items = machine.pop_to_mark()
    machine.push_container(set())
    machine.add(items)
    machine.push(frozenset(machine.pop()))


def _named_by_stack(machine: PickleMachine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.look_up(module, name)


def _instance(machine: PickleMachine) -> None:
    module, name = decoded(machine.line()), decoded(machine.line())
    arguments = tuple(machine.pop_to_mark())
    machine.look_up(module, name)
    machine.call(arguments)


def _object(machine: PickleMachine) -> None:
    function, *arguments = machine.pop_to_mark() or [None]
    machine.push(function)
    machine.call(tuple(arguments))


_INSTRUCTIONS: dict[bytes, Callable[[PickleMachine], Any]] = {
    pickle.PROTO: _protocol,
    pickle.FRAME: lambda m: m.number("<Q"),
    pickle.MARK: PickleMachine.mark,
    pickle.POP: PickleMachine.discard,
    pickle.POP_MARK: PickleMachine.pop_to_mark,
    pickle.DUP: lambda m: m.push(m.top()),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.INT: _decimal,
    pickle.LONG: _decimal,
    pickle.FLOAT: lambda m: m.push_sized(_parsed(float, m.line())),
    pickle.BININT: lambda m: m.push_sized(m.number("<i")),
    pickle.BININT1: lambda m: m.push(m.number("<B")),
    pickle.BININT2: lambda m: m.push_sized(m.number("<H")),
    pickle.BINFLOAT: lambda m: m.push_sized(m.number(">d")),
    pickle.LONG1: lambda m: m.integer(m.number("<B")),
    pickle.LONG4: lambda m: m.integer(m.number("<I")),
    pickle.STRING: _quoted,
    pickle.UNICODE: lambda m: m.push_sized(_escaped(m.line())),
    pickle.BINSTRING: _old_text_of("<I"),
    pickle.SHORT_BINSTRING: _old_text_of("<B"),
    pickle.SHORT_BINUNICODE: _text_of("<B"),
    pickle.BINUNICODE: _text_of("<I"),
    pickle.BINUNICODE8: _text_of("<Q"),
    pickle.SHORT_BINBYTES: _bytes_of("<B"),
    pickle.BINBYTES: _bytes_of("<I"),
    pickle.BINBYTES8: _bytes_of("<Q"),
    pickle.BYTEARRAY8: _bytes_of("<Q"),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.TUPLE1: lambda m: m.push_tuple(m.last(1)),
    pickle.TUPLE2: lambda m: m.push_tuple(m.last(2)),
    pickle.TUPLE3: lambda m: m.push_tuple(m.last(3)),
    pickle.TUPLE: lambda m: m.push_tuple(m.pop_to_mark()),
    pickle.EMPTY_LIST: lambda m: m.push_container([]),
    pickle.EMPTY_DICT: lambda m: m.push_container({}),
    pickle.EMPTY_SET: lambda m: m.push_container(set()),
    pickle.LIST: lambda m: m.push_container(m.pop_to_mark()),
    pickle.DICT: _dictionary,
    pickle.FROZENSET: _frozen_set,
    pickle.APPEND: lambda m: m.extend(m.last(1)),
    pickle.APPENDS: lambda m: m.extend(m.pop_to_mark()),
    pickle.SETITEM: lambda m: m.set_items(m.last(2)),
    pickle.SETITEMS: lambda m: m.set_items(m.pop_to_mark()),
    pickle.ADDITEMS: lambda m: m.add(m.pop_to_mark()),
    pickle.PUT: lambda m: m.put(_parsed(int, m.line())),
    pickle.BINPUT: lambda m: m.put(m.number("<B")),
    pickle.LONG_BINPUT: lambda m: m.put(m.number("<I")),
    pickle.MEMOIZE: PickleMachine.memoize,
    pickle.GET: lambda m: m.get(_parsed(int, m.line())),
    pickle.BINGET: lambda m: m.get(m.number("<B")),
    pickle.LONG_BINGET: lambda m: m.get(m.number("<I")),
    pickle.GLOBAL: lambda m: m.look_up(decoded(m.line()), decoded(m.line())),
    pickle.STACK_GLOBAL: _named_by_stack,
    pickle.INST: _instance,
    pickle.OBJ: _object,
    pickle.REDUCE: lambda m: m.call(m.pop()),
    pickle.NEWOBJ: lambda m: m.call(m.pop()),
    pickle.BUILD: lambda m: m.build(m.pop()),
    pickle.PERSID: lambda m: m.refer(decoded(m.line())),
    pickle.BINPERSID: lambda m: m.refer(m.pop()),
}
