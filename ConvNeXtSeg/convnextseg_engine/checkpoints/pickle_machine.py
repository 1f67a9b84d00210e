"""A pickle is a program; this machine can run the part of it that builds containers, numbers and texts.

Python's own ``pickle`` looks names up and calls what it finds. Here a name is looked up in a table of ours, a call
reaches only the functions of that table, and no method of any object is ever called. ``torch.load(weights_only=True)``
has a table too, but lets a file of 60 bytes take any amount of memory (``bytearray(n)``, ``torch.FloatTensor(n)``), and
reads neither bare pickles nor protocol 4: so the machine is ours, and counts what it builds. Its instructions are in
``pickle_program.py``.
"""

from __future__ import annotations

import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from .unsafe import UnsafeCheckpoint, UnsupportedTensors

# What a pickle may build beyond its own size. Plans of hundreds of cases, and optimiser states of the largest MedNeXt,
# take less than half of it.
SPARE_BYTES = 16 * 2**20
_LONGEST_TEXT = 2**20
_LONGEST_INTEGER = 256
# A key is a text, a number, or a short tuple of them: nnU-Net names regions by tuples of integers.
_DEEPEST_KEY, _LONGEST_KEY = 2, 64

# Bytes that CPython takes for what an instruction makes, generously.
_COST_OF_PUSH, _COST_OF_ITEM, _COST_OF_CONTAINER, _COST_OF_CALL = 16, 112, 232, 512

_MARK = object()


class Malformed(Exception):
    """The pickle is cut short or contradicts itself; the argument says how, as part of a sentence."""


@dataclass(frozen=True)
class Unsupported:
    """Stands in the table for a name that is known and harmless, but makes tensors that are no weights of ours."""

    kind: str


class Rebuilt(ABC):
    """Base of our stand-ins for objects whose content a pickle gives in a second step."""

    def __init__(self) -> None:
        self.places: list[int] = []  # where the memo holds it

    @abstractmethod
    def finished(self, state: Any) -> Any:
        """Return the object itself; raises TypeError or ValueError if the content is not what it needs."""


class PickleMachine:
    """Stack and memo of one pickle, and what its instructions do with them.

    Args:
        file: Where to read; several pickles may follow each other.
        size: Bytes of the file: no part can be longer, and the measure of what the pickle may build.
        names: ``"module.name"`` to a function or a constant of ours: all that a pickle can reach.
        persistent: Called with a persistent id (how PyTorch refers to a tensor's numbers), or None if there are none.
    """

    def __init__(
        self, file: BinaryIO, size: int, names: dict[str, Any], persistent: Callable[[Any], Any] | None = None
    ):
        self._file, self._size, self._names, self._persistent = file, size, names, persistent
        self._left = size + SPARE_BYTES
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, count: int) -> bytes:
        """Return the next ``count`` bytes."""
        if count > self._size:
            raise Malformed("it announces more bytes than the file has")
        data = self._file.read(count)
        if len(data) < count:
            raise Malformed("it ends too early")
        return data

    def number(self, form: str) -> Any:
        """Return the next number, of the form that ``struct`` names."""
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """Return the bytes up to the next end of line."""
        line = self._file.readline(_LONGEST_TEXT)
        if not line.endswith(b"\n"):
            raise Malformed("a line of it has no end")
        return line[:-1]

    def text(self, length: int) -> str:
        """Return the next ``length`` bytes as text; a text may take four times its bytes, so long ones are refused."""
        if length > _LONGEST_TEXT:
            raise Malformed(f"it holds a text of {length} bytes")
        return decoded(self.read(length))

    def charge(self, cost: int) -> None:
        """Count bytes of memory, before they are taken."""
        self._left -= cost
        if self._left < 0:
            raise UnsafeCheckpoint(
                "much more memory than the file is large",
                "Genuine weights are mostly numbers; this file would unfold into objects that fill the memory.",
            )

    def push(self, value: Any, cost: int = 0) -> None:
        """Put a value that takes ``cost`` bytes on the stack."""
        self.charge(cost + _COST_OF_PUSH)
        self._stack.append(value)

    def push_sized(self, value: Any) -> None:
        """Put a text, number or bytes on the stack."""
        self.push(value, sys.getsizeof(value))

    def push_container(self, value: Any) -> None:
        """Put a list, dictionary or set on the stack."""
        self.push(value, _COST_OF_CONTAINER)

    def push_tuple(self, items: list[Any]) -> None:
        """Put a tuple on the stack."""
        self.push(tuple(items), 56 + 8 * len(items))

    def mark(self) -> None:
        """Put a mark on the stack."""
        self.push(_MARK)

    def top(self) -> Any:
        """Return the topmost value."""
        if not self._stack or self._stack[-1] is _MARK:
            raise Malformed("it takes a value that is not there")
        return self._stack[-1]

    def pop(self) -> Any:
        """Take the topmost value."""
        value = self.top()
        self._stack.pop()
        return value

    def last(self, count: int) -> list[Any]:
        """Take the topmost values, the lowest of them first."""
        return [self.pop() for _ in range(count)][::-1]

    def pop_to_mark(self) -> list[Any]:
        """Take the values above the topmost mark, and the mark."""
        items: list[Any] = []
        while self._stack:
            item = self._stack.pop()
            if item is _MARK:
                items.reverse()
                return items
            items.append(item)
        raise Malformed("it takes values that are not there")

    def discard(self) -> None:
        """Take the topmost value or mark away."""
        if not self._stack:
            raise Malformed("it takes a value that is not there")
        self._stack.pop()

    def put(self, index: int) -> None:
        """Remember the topmost value."""
        self.charge(_COST_OF_ITEM)
        value = self.top()
        self._memo[index] = value
        if isinstance(value, Rebuilt):
            value.places.append(index)

    def memoize(self) -> None:
        """Remember the topmost value under the next number."""
        self.put(len(self._memo))

    def get(self, index: int) -> None:
        """Put a remembered value on the stack."""
        if index not in self._memo:
            raise Malformed("it refers to a value that it has not stored")
        self.push(self._memo[index])

    def extend(self, items: list[Any]) -> None:
        """Append to the list on top."""
        if type(self.top()) is not list:
            raise Malformed("it appends to what is no list")
        self.charge(_COST_OF_PUSH * len(items))
        self.top().extend(items)

    def add(self, items: list[Any]) -> None:
        """Add to the set on top."""
        if type(self.top()) is not set:
            raise Malformed("it adds to what is no set")
        self.charge(_COST_OF_ITEM * len(items))
        self.top().update(map(checked_key, items))

    def set_items(self, items: list[Any]) -> None:
        """Set entries of the dictionary on top; ``items`` holds keys and values in turn."""
        if type(self.top()) is not dict:
            raise Malformed("it sets entries of what is no dictionary")
        if len(items) % 2:
            raise Malformed("it sets an entry without a value")
        self.charge(_COST_OF_ITEM * len(items))
        self.top().update((checked_key(key), value) for key, value in zip(items[::2], items[1::2], strict=True))

    def look_up(self, module: Any, name: Any) -> None:
        """Put what a name stands for on the stack."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise Malformed("it looks up a name that is no text")
        full = f"{_MODERN_MODULES.get(module, module)}.{name}"
        if full not in self._names:
            raise UnsafeCheckpoint("".join(c if c.isprintable() else "?" for c in full[:120]))
        found = self._names[full]
        if isinstance(found, Unsupported):
            raise UnsupportedTensors(found.kind)
        self.push(found)

    def call(self, arguments: Any) -> None:
        """Call the function on top. Values that a file can build are no functions, so it is one of the table."""
        function = self.pop()
        if not callable(function) or not isinstance(arguments, tuple):
            raise Malformed("it calls what is no function")
        self.push(_rebuilding(function, *arguments), _COST_OF_CALL)

    def build(self, state: Any) -> None:
        """Give the value on top its content."""
        target = self.top()
        # Attributes of dictionaries and tensors (PyTorch notes version numbers there) are of no use here.
        if isinstance(target, Rebuilt):
            result = _rebuilding(target.finished, state)
            self._stack[-1] = result
            self._memo.update(dict.fromkeys(target.places, result))

    def refer(self, identity: Any) -> None:
        """Put what a persistent id refers to on the stack."""
        if self._persistent is None:
            raise Malformed("it refers to numbers outside itself")
        self.push(_rebuilding(self._persistent, identity), _COST_OF_CALL)

    def integer(self, length: int) -> None:
        """Put the integer that the next ``length`` bytes hold on the stack."""
        if length > _LONGEST_INTEGER:
            raise Malformed("it holds an integer of absurd length")
        self.push_sized(int.from_bytes(self.read(length), "little", signed=True))


def checked_key(key: Any, depth: int = 0) -> Any:
    """Return ``key`` if it is plain; to hash a tuple of tuples of tuples can take longer than any patience."""
    if type(key) is tuple and depth < _DEEPEST_KEY and len(key) <= _LONGEST_KEY:
        for part in key:
            checked_key(part, depth + 1)
    elif key is not None and type(key) not in (str, int, float, bool, bytes):
        raise Malformed("it has a dictionary key that is no text or number")
    return key


def decoded(data: bytes) -> str:
    """Return UTF-8 bytes as text."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise Malformed("it holds a text that is not UTF-8") from error


def _rebuilding(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise Malformed(f"a part of it cannot be rebuilt ({first_line})") from error


_MODERN_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # names of Python 2
