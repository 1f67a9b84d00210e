"""What options that name labels with their integers have in common."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import InputError


def check_background(labels: Iterable[tuple[str, int]], option: str) -> None:
    """Refuse a label of the integer 0, and a background of any other integer.

    Args:
        labels: Name and integer of each label.
        option: What the user wrote them after, such as ``"--labels"``.

    Raises:
        InputError: With the name that is wrong.
    """
    for name, value in labels:
        background = name.strip().casefold() == "background"
        if background == (value == 0):
            continue
        raise InputError(
            f"“{option} …{name}={value}…” makes the background a label."
            if background
            else f"“{option} …{name}={value}…” gives a label the integer of the background.",
            reason="0 is the background, and only the background is 0.",
            remedy=f"Leave the background out of {option}, and number the labels from 1.",
            code="bad-arguments",
        )
