"""The error for a window that a network cannot take, when the user asked for that window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError


@contextmanager
def naming_the_patch(given: bool) -> Iterator[None]:
    """Let a refusal of the window within the block say that ``--patch`` asked for it.

    Args:
        given: Whether the user gave ``--patch``; without it errors are left as they are.
    """
    try:
        yield
    except InputError as error:
        if given and error.code == "bad-patch":
            error.reason = f"--patch asked for it. {error.reason}"
            error.remedy = f"{error.remedy} Write it as --patch D,H,W, or leave the option out."
        raise
