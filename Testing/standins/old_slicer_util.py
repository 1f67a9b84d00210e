"""Make the wheel's ``slicer.util`` (5.12) offer only what the one of an older Slicer offers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from standins.surface import python_module
from standins.wheel import slicer


@contextmanager
def slicer_util_of(version: str) -> Iterator[None]:
    """For the time being: functions that came later are gone, and newer arguments are refused.

    Args:
        version: ``"5.10"``; for any other version nothing changes.
    """
    differences = python_module("slicer.util")["versions"].get(version, {})
    before = dict(vars(slicer.util))
    for name in differences.get("absent_there", ()):
        if name in before:
            delattr(slicer.util, name)
    for name, signature in differences.get("other_signature_there", {}).items():
        setattr(slicer.util, name, _with_signature(before[name], signature))
    try:
        yield
    finally:
        vars(slicer.util).update(before)


def _with_signature(function: Callable, signature: str) -> Callable:
    allowed = [argument.partition("=")[0].strip() for argument in signature.split(",")]

    @functools.wraps(function)
    def call(*arguments: object, **keywords: object) -> object:
        unknown = [keyword for keyword in keywords if keyword not in allowed]
        if unknown or len(arguments) > len(allowed):
            raise TypeError(f"{function.__name__}({signature}) got unexpected arguments {unknown or arguments}")
        return function(*arguments, **keywords)

    return call
