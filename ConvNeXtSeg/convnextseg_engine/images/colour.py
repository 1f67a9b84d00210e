"""Colour images: one file, three channels of a model for colours."""

from __future__ import annotations

_COMPONENTS = {"red": 0, "r": 0, "green": 1, "g": 1, "blue": 2, "b": 2}


def component_of(channel: str) -> int | None:
    """Return which component of a colour image a channel takes (red, green, blue: 0, 1, 2), or None if it takes none.

    Args:
        channel: A model's channel name: ``"Red"``, ``"R"``, ….
    """
    return _COMPONENTS.get(channel.strip().lower())
