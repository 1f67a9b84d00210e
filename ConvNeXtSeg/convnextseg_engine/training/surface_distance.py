"""Distance between the surfaces of two masks in millimetres."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk


def hd95_mm(first: np.ndarray, second: np.ndarray, spacing: tuple[float, float, float]) -> float | None:
    """Return the 95th percentile Hausdorff distance: the larger of the two directed 95th percentiles.

    The surface of a mask are its voxels with a face neighbour outside; distances are exact Euclidean ones between voxel
    centres (Maurer et al. 2003). This is the definition of ``monai.metrics.compute_hausdorff_distance``, which needs
    SciPy for it; a test compares the two.

    Args:
        first: Boolean mask, shape ``(D, H, W)``.
        second: Boolean mask of the same shape.
        spacing: Millimetres along I, J, K (that is, along W, H, D).

    Returns:
        Millimetres, or None if a mask is empty.
    """
    if not first.any() or not second.any():
        return None
    box = _box(first | second)
    surfaces = [_surface(np.pad(mask[box], 1)) for mask in (first, second)]
    there, back = (
        float(np.percentile(_distance_mm(target, spacing)[source], 95))
        for source, target in (surfaces, reversed(surfaces))
    )
    return max(there, back)


def _box(mask: np.ndarray) -> tuple[slice, slice, slice]:
    """Smallest box around the mask."""
    hits = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)


def _surface(padded: np.ndarray) -> np.ndarray:
    """Voxels with a face neighbour outside; ``padded`` has an empty border."""
    inner = padded.copy()
    for axis in range(3):
        inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return padded & ~inner


def _distance_mm(surface: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    image = sitk.GetImageFromArray(surface.astype(np.uint8))
    image.SetSpacing(tuple(float(s) for s in spacing))
    signed = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return np.abs(sitk.GetArrayFromImage(signed))
