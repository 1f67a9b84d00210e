"""Voxels that are no numbers."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def finite(image: sitk.Image) -> sitk.Image:
    """Return ``image`` with NaN and infinities as 0, because one of them would spread over its neighbours."""
    if image.GetPixelID() not in (sitk.sitkFloat32, sitk.sitkFloat64):
        return image
    array = sitk.GetArrayViewFromImage(image)
    if np.isfinite(array).all():
        return image
    clean = sitk.GetImageFromArray(np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0))
    clean.CopyInformation(image)
    return clean
