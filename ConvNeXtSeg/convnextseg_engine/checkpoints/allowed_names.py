"""All that a pickle can reach: containers and numpy's arrays, each rebuilt by a function of ours.

Not one of these is the function that the pickle names; each only makes, from plain values, what that function would
have made. Every entry is there because a genuine checkpoint names it.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .pickle_machine import Rebuilt, checked_key
from .unsafe import UnsafeCheckpoint

# Truth values, integers, floating-point numbers and texts; no objects, records or dates.
_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248]|c8|c16|[SU]\d{1,3}|bool|u?int(8|16|32|64)|float(16|32|64))")
_MOST_DIMENSIONS = 16


class _Dtype(Rebuilt):
    def __init__(self, name: str):
        super().__init__()
        self._dtype = np.dtype(name)

    def finished(self, state: Any) -> np.dtype:
        """Take the byte order, which is all that a plain number type's state says."""
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError("unknown byte order")
        return self._dtype if order == "|" else self._dtype.newbyteorder(order)


class _Array(Rebuilt):
    def finished(self, state: Any) -> np.ndarray:
        """Take shape, type and bytes."""
        shape, dtype, fortran, raw = state[-4:]
        return _array(raw, dtype, shape, "F" if fortran else "C")


class _Namespace(Rebuilt):
    """``argparse.Namespace``, in which training scripts (ConvUNeXt's among them) keep their options: a dictionary."""

    def finished(self, state: Any) -> dict[str, Any]:
        if not isinstance(state, dict):
            raise TypeError("options that are no dictionary")
        return dict(state)


def _dtype(name: Any, *_flags: Any) -> _Dtype:
    if isinstance(name, str) and name.startswith(("O", "|O")):
        raise UnsafeCheckpoint("a numpy array of Python objects")
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        raise TypeError(f"an array of {str(name)[:40]!r}, which is no plain number type")
    return _Dtype(name)


def _empty_array(*_arguments: Any) -> _Array:
    return _Array()


def _array(raw: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    """Return the array without copying its bytes; read-only."""
    raw = raw.encode("latin-1") if isinstance(raw, str) else raw  # as Python 2 wrote it
    if not isinstance(dtype, np.dtype) or not isinstance(raw, bytes) or not isinstance(shape, tuple):
        raise TypeError("an array without type, shape or bytes")
    if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("an array of impossible shape")
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"an array of shape {shape} with {len(raw)} bytes")
    flat = np.frombuffer(raw, dtype) if raw else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if order == "F" else "C")


def _scalar(dtype: Any, raw: Any) -> Any:
    """Return a numpy scalar as Python's own number or text."""
    return _array(raw, dtype, ()).item()


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise TypeError("bytes in an unknown encoding")
    return text.encode("latin-1")


def _dictionary(pairs: Any = ()) -> dict[Any, Any]:
    """``OrderedDict``: a plain dictionary keeps the order too."""
    if not isinstance(pairs, tuple | list):
        raise TypeError("a dictionary of what is no list of pairs")
    return {checked_key(key): value for key, value in pairs}


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, tuple | list):
        raise TypeError("a set of what is no list")
    return set(map(checked_key, items))


def _namespace(*arguments: Any) -> _Namespace:
    if arguments:
        raise TypeError("options with arguments")
    return _Namespace()


# The class itself is named as the first argument of _reconstruct; calling it is refused.
_NDARRAY = "numpy.ndarray"

PLAIN_NAMES: dict[str, Any] = {
    "collections.OrderedDict": _dictionary,
    "builtins.set": _set,
    "builtins.frozenset": lambda items=(): frozenset(_set(items)),
    "builtins.bytes": lambda: b"",  # how protocol 2 writes no bytes; with arguments it could take any memory
    "_codecs.encode": _encoded,
    "argparse.Namespace": _namespace,
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _dtype,
    **{
        f"numpy.{core}.{name}": function
        for core in ("core", "_core")  # renamed in numpy 2
        for name, function in {
            "multiarray._reconstruct": _empty_array,
            "multiarray.scalar": _scalar,
            "numeric._frombuffer": _array,
        }.items()
    },
}
