"""Does a Python value fit a C++ argument type? PythonQt's two passes: strict, then lenient (rule 32)."""

from __future__ import annotations

import re
from collections.abc import Callable

import vtk
from PySide6 import QtCore, QtGui

from standins.implementations import enum_type, implementation

_INTEGERS = {
    *("int", "uint", "long", "ulong", "short", "ushort", "qint64", "quint64", "qlonglong", "qulonglong", "quintptr"),
    *("WId", "qsizetype"),
}
_REALS = {"double", "float", "qreal"}


class Mismatch(Exception):
    """The value does not fit."""


def coerce(value: object, cpp_type: str, strict: bool, scope: str) -> object:
    """The value as PySide6 wants it.

    Args:
        value: what the caller passed.
        cpp_type: C++ type of the argument or property.
        strict: exact types only (first pass over overloads), or lenient as well.
        scope: the class that declares the member, for unqualified enum names.

    Raises:
        Mismatch: PythonQt would not convert the value, or the type is unknown here.
    """
    converter = _CONVERTERS.get(cpp_type)
    if converter is not None:
        return converter(value, strict)
    if cpp_type in _INTEGERS:
        return _integer(value, strict)
    if cpp_type in _REALS:
        return _real(value, strict)
    if cpp_type.startswith(("QList<", "QVector<")):
        return [coerce(item, cpp_type[cpp_type.index("<") + 1 : -1], strict, scope) for item in _sequence(value)]
    if cpp_type.startswith("QMap<"):
        return _mapping(value, strict)
    enum = enum_type(cpp_type, scope)
    if enum is not None:
        return _enum(value, enum)
    if cpp_type.startswith("vtk"):
        return _vtk_object(value, cpp_type.rstrip("*"))
    return _instance(value, cpp_type)


def plain(value: object) -> object:
    """Take the wrappers off a value that goes into a ``QVariant``."""
    target = getattr(value, "_standin_target", None)
    if target is not None:
        return target
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def _string(value: object, strict: bool) -> str:
    if isinstance(value, str):
        return value
    if strict:
        raise Mismatch
    return str(value)


def _boolean(value: object, strict: bool) -> bool:
    if isinstance(value, bool):
        return value
    if strict or not isinstance(value, int | float):
        raise Mismatch
    return bool(value)


def _integer(value: object, strict: bool) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if strict or not isinstance(value, bool | float):
        raise Mismatch
    return int(value)


def _real(value: object, strict: bool) -> float:
    if isinstance(value, float):
        return float(value)
    if strict or not isinstance(value, int):
        raise Mismatch
    return float(value)


def _enum(value: object, enum: type) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Mismatch
    try:
        return enum(int(value))
    except ValueError as error:
        raise Mismatch from error


def _sequence(value: object) -> list | tuple:
    if not isinstance(value, list | tuple):
        raise Mismatch
    return value


def _strings(value: object, strict: bool) -> list[str]:
    return [_string(item, strict) for item in _sequence(value)]


def _mapping(value: object, strict: bool) -> dict:
    if not isinstance(value, dict):
        raise Mismatch
    return plain(value)


def _bytes(value: object, strict: bool) -> QtCore.QByteArray:
    if isinstance(value, bytes | bytearray):
        return QtCore.QByteArray(bytes(value))
    if isinstance(value, str):
        return QtCore.QByteArray(value.encode())
    return _instance(value, "QByteArray")


def _c_string(value: object, strict: bool) -> str:
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str):
        raise Mismatch
    return value


def _character(value: object, strict: bool) -> str:
    if not isinstance(value, str) or len(value) != 1:
        raise Mismatch
    return value


def _cursor(value: object, strict: bool) -> QtGui.QCursor:
    # PythonQtConversion.cpp makes a QCursor of a Qt::CursorShape; slicer.util.WaitCursor relies on it.
    if isinstance(value, int) and not isinstance(value, bool):
        return QtGui.QCursor(_enum(value, QtCore.Qt.CursorShape))
    return _instance(value, "QCursor")


def _variant(value: object, strict: bool) -> object:
    return plain(value)


def _python_object(value: object, strict: bool) -> object:
    return value


def _vtk_object(value: object, class_name: str) -> object:
    if value is not None and not (isinstance(value, vtk.vtkObjectBase) and value.IsA(class_name)):
        raise Mismatch
    return value


def _instance(value: object, cpp_type: str) -> object:
    """A wrapped object: by pointer ``None`` is allowed, by value it is not."""
    class_name = cpp_type.rstrip("*")
    if value is None and cpp_type.endswith("*"):
        return None
    target = getattr(value, "_standin_target", None)
    if target is None or not re.fullmatch(r"\w+", class_name):
        raise Mismatch
    if class_name in type(value)._standin_surface.chain:
        return target
    wanted = implementation(class_name)
    if wanted is None or not isinstance(target, wanted):
        raise Mismatch
    return target


_CONVERTERS: dict[str, Callable[[object, bool], object]] = {
    "QString": _string,
    "QStringView": _string,
    "bool": _boolean,
    "QStringList": _strings,
    "QVariant": _variant,
    "QVariantMap": _mapping,
    "QByteArray": _bytes,
    "char*": _c_string,
    "QChar": _character,
    "PyObject": _python_object,
    "QCursor": _cursor,
}
