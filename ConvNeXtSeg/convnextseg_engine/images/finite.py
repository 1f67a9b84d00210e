"""Voxels that are no numbers."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# Nothing is measured beyond; float32, in which networks compute, ends at 3.4e38.
_LARGEST = 1e37


def finite(image: sitk.Image) -> sitk.Image:
    """Return ``image`` with NaN, infinities and what is nearly so as 0; one of them would spread to its neighbours."""
    if image.GetPixelID() not in (sitk.sitkFloat32, sitk.sitkFloat64):
        return image
    array = sitk.GetArrayViewFromImage(image)
    if array.min() >= -_LARGEST and array.max() <= _LARGEST:  # which NaN is not
        return image
    clean = sitk.GetImageFromArray(np.where(np.abs(array) <= _LARGEST, array, array.dtype.type(0)))
    clean.CopyInformation(image)
    return clean
