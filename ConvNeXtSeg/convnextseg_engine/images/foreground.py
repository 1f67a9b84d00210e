"""Refusing channels that show nothing where the reference lies."""

from __future__ import annotations

import numpy as np

from ..errors import InputError


def require_something(arrays: dict[str, np.ndarray]) -> None:
    """Refuse channels that are 0 throughout, all of them, after they were brought onto one grid."""
    if not any(array.any() for array in arrays.values()):
        raise InputError(
            "The images are empty where the chosen volume lies.",
            reason="Every voxel is 0, or no number, after bringing the channels onto one grid.",
            remedy="Check that the right volumes are assigned and that they overlap in space.",
            code="empty-image",
        )


def require_overlap(arrays: dict[str, np.ndarray], reference: str) -> None:
    """Refuse a channel that shows nothing here: the user gave it and would believe that it was used."""
    for name, array in arrays.items():
        if not array.any():
            raise InputError(
                f"The volume for channel {name} does not overlap the volume for {reference}, or is empty there.",
                reason=f"Every voxel of {name} is 0 where {reference} lies.",
                remedy="Check that both are of the same patient and visit; otherwise leave the channel out.",
                code="no-overlap",
            )
