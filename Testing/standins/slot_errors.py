"""Exceptions in slots and virtuals are printed and the C++ code goes on (rule 36); here they are also remembered."""

from __future__ import annotations

import traceback
from collections.abc import Callable

_errors: list[BaseException] = []


def guarded(function: Callable, *arguments: object, default: object = None) -> object:
    """Call a Python slot or override; an exception is printed, recorded, and does not reach the caller."""
    try:
        return function(*arguments)
    except Exception as error:
        record(error)
        return default


def record(error: BaseException) -> None:
    traceback.print_exception(error)
    _errors.append(error)


def take() -> list[BaseException]:
    """What happened since the last call; the list is empty again afterwards."""
    taken = list(_errors)
    _errors.clear()
    return taken


def seen() -> list[BaseException]:
    """The same without forgetting them."""
    return list(_errors)
