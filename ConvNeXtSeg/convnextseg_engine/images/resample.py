"""Resampling between grids by geometry, never by index."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .grid import Grid
from .separable import parallel_axes, resample_parallel

_INTERPOLATORS = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}


def resample(image: sitk.Image, grid: Grid, interpolation: str = "linear", outside: float = 0.0) -> sitk.Image:
    """Return ``image`` as float32 on ``grid``; voxels outside ``image`` become ``outside``.

    Args:
        image: Any scalar 3D image.
        grid: Where the result lies.
        interpolation: ``"linear"`` for intensities and probabilities, ``"nearest"`` for labels.
        outside: Value beyond the border of ``image``.
    """
    parallel = parallel_axes(Grid.from_image(image), grid) if interpolation == "linear" else None
    if parallel is not None:
        return grid.image(resample_parallel(sitk.GetArrayViewFromImage(image), *parallel, outside))
    return sitk.Resample(
        image, grid.size, sitk.Transform(3, sitk.sitkIdentity), _INTERPOLATORS[interpolation],
        grid.origin, grid.spacing, grid.direction, outside, sitk.sitkFloat32,
    )  # fmt: skip


def anatomical_grid(reference: Grid, spacing: tuple[float, float, float]) -> Grid:
    """Return the grid with axes along L, P and S that covers ``reference`` at ``spacing`` mm.

    Networks see every patient in the same orientation, however the scanner's axes were tilted. The first voxel's
    *edge* lies on the volume's edge, so that halving the resolution averages 2×2×2 voxels rather than picking one.
    """
    low, high = reference.outer_box()
    step = np.array(spacing, dtype=np.float64)
    size = np.maximum(1, np.ceil((high - low) / step - 1e-6)).astype(int)
    return Grid(tuple(size), tuple(step), tuple(low + step / 2), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def cropped_grid(grid: Grid, start: tuple[int, int, int], size: tuple[int, int, int]) -> Grid:
    """Return the part of ``grid`` that begins at voxel ``start`` (I, J, K) and has ``size`` voxels (I, J, K)."""
    origin = grid.ijk_to_lps[:3, :3] @ np.array(start, dtype=np.float64) + np.array(grid.origin)
    return Grid(tuple(size), grid.spacing, tuple(origin), grid.direction)
