"""Whether probabilities can be believed: the expected calibration error near the predicted boundary.

Naeini et al., AAAI 2015. Over a whole image it is meaningless: nearly every voxel is background of which every network
is rightly sure. Only voxels within 10 mm of the boundary that the model drew count.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..images.grid import Grid

BAND_MM = 10.0
_BINS = 15


def near_boundary(mask: np.ndarray, grid: Grid, distance_mm: float = BAND_MM) -> np.ndarray:
    """Return which voxels lie within a distance of the boundary of a mask.

    Args:
        mask: Boolean, shape ``(D, H, W)``.
        grid: Gives the size of a voxel.
        distance_mm: How far, in millimetres.

    Returns:
        Boolean, shape ``(D, H, W)``; all False if the mask is empty.
    """
    near = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return near
    # Only the box that the band can reach: a distance map of a whole head takes ten times as long.
    box = []
    for axis, step in zip(range(3), reversed(grid.spacing), strict=True):
        hit = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        reach = int(np.ceil(distance_mm / step)) + 1 if np.isfinite(distance_mm) else mask.shape[axis]
        box.append(slice(max(0, int(hit[0]) - reach), int(hit[-1]) + 1 + reach))
    image = sitk.GetImageFromArray(mask[tuple(box)].astype(np.uint8))
    image.SetSpacing(grid.spacing)
    distance = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    near[tuple(box)] = np.abs(sitk.GetArrayViewFromImage(distance)) <= distance_mm
    return near


def calibration_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the expected calibration error: by how much, on average, a probability misses the frequency.

    Args:
        probabilities: Of a label, flat, at the voxels that count.
        truth: Whether the label truly is there.
    """
    if not probabilities.size:
        return float("nan")
    bins = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    said = np.bincount(bins, weights=probabilities, minlength=_BINS)
    true = np.bincount(bins, weights=truth.astype(float), minlength=_BINS)
    return float(np.abs(said - true).sum() / probabilities.size)
