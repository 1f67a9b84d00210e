"""Checks of what a network is asked to be: its description may come from a damaged or hostile file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# Published networks start with 8 to 96 channels and kernels up to 7; a damaged description must not ask for terabytes.
WIDEST, LARGEST_KERNEL = 256, 15


def check_whole(name: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless ``value`` is a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"“{name}” must be a whole number from {low} to {high}, not {value!r}")


def check_odd_kernel(value: Any) -> None:
    """Raise ValueError unless ``value`` is an odd kernel size of a sensible extent."""
    check_whole("kernel", value, 1, LARGEST_KERNEL)
    if value % 2 == 0:
        raise ValueError(f"“kernel” must be odd, not {value}")


def check_one_of(name: str, value: Any, known: Collection[Any]) -> None:
    """Raise ValueError unless ``value`` is one of ``known``."""
    if not isinstance(value, int | str) or isinstance(value, bool) or value not in known:
        raise ValueError(f"“{name}” must be one of {', '.join(map(str, known))}, not {value!r}")
