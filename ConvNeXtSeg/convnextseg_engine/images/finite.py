"""Voxels that are no numbers."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# Nothing is measured beyond; float32, in which networks compute, ends at 3.4e38.
LARGEST = 1e37


def finite(image: sitk.Image) -> sitk.Image:
    """Return ``image`` with NaN, infinities and what is nearly so as 0; one of them would spread to its neighbours."""
    array = _array_with_others(image)
    if array is None:
        return image
    clean = sitk.GetImageFromArray(np.where(np.abs(array) <= LARGEST, array, array.dtype.type(0)))
    clean.CopyInformation(image)
    return clean


def not_finite_part(image: sitk.Image) -> float:
    """Return the part of the voxels, 0 to 1, that :func:`finite` makes 0."""
    array = _array_with_others(image)
    return 0.0 if array is None else 1.0 - np.count_nonzero(np.abs(array) <= LARGEST) / array.size


def beyond(image: sitk.Image) -> float | None:
    """Return the largest magnitude of a number that is too large for a network; None if there is no such number.

    NaN and infinity are no numbers.
    """
    array = _array_with_others(image)
    if array is None:
        return None
    largest = float(np.max(np.abs(array), where=np.isfinite(array), initial=0.0))
    return largest if largest > LARGEST else None


def _array_with_others(image: sitk.Image) -> np.ndarray | None:
    """Return the image's voxels, shape ``(D, H, W)``, or None if all of them are usable numbers."""
    if image.GetPixelID() not in (sitk.sitkFloat32, sitk.sitkFloat64):
        return None
    array = sitk.GetArrayViewFromImage(image)
    usable = array.min() >= -LARGEST and array.max() <= LARGEST  # which NaN is not
    return None if usable else array
