"""How messages become bytes: JSON objects, one a line.

Both ends use this file and nothing here does input or output. Bytes come in pieces of any size; a line that is no
JSON object, or is too long, becomes a :class:`BadLine`, and reading goes on with the next line.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from typing import Any

# The longest honest message is the evaluation of a cohort, about 500 bytes a case. 8 MiB leaves room for 16,000
# cases and still bounds what a worker gone wild can make the other side keep.
MAX_LINE_BYTES = 8 * 1024 * 1024
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class BadLine:
    """A line that is no message: ``why`` in plain words and the beginning of its ``text``."""

    why: str
    text: str


def encode(message: dict[str, Any]) -> bytes:
    """Return ``message`` as one line of JSON with its line feed.

    Everything beyond ASCII is escaped, so that a file name with bytes that are not UTF-8 (which Python holds as lone
    surrogates) arrives as it was sent. JSON has no NaN and no infinity: ``null`` stands for them.

    Raises:
        ValueError: If the line is longer than :data:`MAX_LINE_BYTES`.
        TypeError: If the message holds something that JSON cannot say, such as an array.
    """
    line = (
        json.dumps(_plain(message), ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    )
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a message of {len(line)} bytes is longer than the {MAX_LINE_BYTES} that a line may have")
    return line


def _plain(value: Any) -> Any:
    """Return ``value`` with numpy scalars, paths, tuples and non-finite numbers as JSON has them."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class LineReader:
    """Turns pieces of bytes into messages."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES):
        self._max = max_line_bytes
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[dict[str, Any] | BadLine]:
        """Return the messages that ``data`` completes; an unfinished last line waits for the next call."""
        found: list[dict[str, Any] | BadLine] = []
        *complete, rest = data.split(b"\n")
        for piece in complete:
            self._append(piece, found)
            if self._skipping:
                self._skipping = False
            elif self._buffer.strip():
                found.append(_decode(bytes(self._buffer)))
            self._buffer.clear()
        self._append(rest, found)
        return found

    def finish(self) -> list[BadLine]:
        """Return what is left of an unfinished line after the last byte has come."""
        left = bytes(self._buffer).strip()
        self._buffer.clear()
        return [BadLine("the line was cut off", _shown(left))] if left else []

    def _append(self, piece: bytes, found: list[dict[str, Any] | BadLine]) -> None:
        if self._skipping:
            return
        self._buffer += piece
        if len(self._buffer) > self._max:
            found.append(BadLine(f"the line is longer than {self._max} bytes", _shown(bytes(self._buffer[:1000]))))
            self._buffer.clear()
            self._skipping = True


def _decode(line: bytes) -> dict[str, Any] | BadLine:
    try:
        message = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return BadLine(f"the line is not JSON ({type(error).__name__})", _shown(line))
    return message if isinstance(message, dict) else BadLine("the line is not a JSON object", _shown(line))


def _shown(line: bytes) -> str:
    text = line.strip().decode("utf-8", errors="backslashreplace")
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
