"""Refusing channels that show nothing where the reference lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .finite import LARGEST, beyond


def require_something(arrays: dict[str, np.ndarray], images: Mapping[str, sitk.Image]) -> None:
    """Refuse channels that are 0 throughout, all of them, after they were brought onto one grid.

    Args:
        arrays: Each channel on that grid, shape ``(D, H, W)``.
        images: The channels as they were given.
    """
    if any(array.any() for array in arrays.values()):
        return
    for name in arrays:
        _require_numbers_in_range(name, images[name])
    raise InputError(
        "The images are empty where the chosen volume lies.",
        reason="Every voxel is 0, or no number, after bringing the channels onto one grid.",
        remedy="Check that the right volumes are assigned and that they overlap in space.",
        code="empty-image",
    )


def require_overlap(arrays: dict[str, np.ndarray], reference: str, images: Mapping[str, sitk.Image]) -> None:
    """Refuse a channel that shows nothing here: the user gave it and would believe that it was used.

    Args:
        arrays: Each channel on one grid, shape ``(D, H, W)``.
        reference: Name of the channel whose volume the user chose.
        images: The channels as they were given.
    """
    for name, array in arrays.items():
        if not array.any():
            _require_numbers_in_range(name, images[name])
            raise InputError(
                f"The volume for channel {name} does not overlap the volume for {reference}, or is empty there.",
                reason=f"Every voxel of {name} is 0 where {reference} lies.",
                remedy="Check that both are of the same patient and visit; otherwise leave the channel out.",
                code="no-overlap",
            )


def _require_numbers_in_range(name: str, image: sitk.Image) -> None:
    """Refuse an image whose numbers are too large: none of them is left, and it is not empty."""
    largest = beyond(image)
    if largest is not None:
        raise InputError(
            f"The numbers in the volume for channel {name} are too large.",
            reason=f"They reach {largest:.3g} in magnitude; no intensity beyond {LARGEST:g} can be computed with.",
            remedy="The file was probably damaged or exported wrongly: export the image again, or leave the channel "
            "out.",
            code="numbers-too-large",
        )
