"""Resampling between grids by geometry, never by index."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .grid import Grid
from .separable import parallel_axes, resample_parallel

OUR_AXES = "SPL"
_TOWARDS = {
    letter: sign * np.eye(3)[axis]
    for axis, pair in enumerate(("LR", "PA", "SI"))
    for letter, sign in zip(pair, (1, -1), strict=True)
}
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


def anatomical_grid(reference: Grid, spacing: tuple[float, float, float], axes: str = OUR_AXES) -> Grid:
    """Return the grid with axes along the patient's that covers ``reference`` at ``spacing`` mm.

    Networks see every patient in the same orientation, however the scanner's axes were tilted. The first voxel's
    *edge* lies on the volume's edge, so that halving the resolution averages 2×2×2 voxels rather than picking one.

    Args:
        reference: What to cover.
        spacing: Millimetres along L, P, S.
        axes: Towards what the index of an array's axes D, H, W grows; networks of other programs were trained with
            other axes than ours, for example ``"RAS"``.
    """
    low, high = reference.outer_box()
    step = np.array(spacing, dtype=np.float64)
    size = np.maximum(1, np.ceil((high - low) / step - 1e-6)).astype(int)
    # Columns of the direction for I, J, K; each is one of ±L, ±P, ±S.
    towards = np.stack([_TOWARDS[letter] for letter in reversed(axes)], axis=1)
    along = np.abs(towards).argmax(axis=0)
    # A slice thinner than one step lies in the middle of its voxel; at the voxel's edge it would not be seen.
    low = low - np.where(size == 1, (step - (high - low)) / 2, 0.0)
    ends = low + step / 2 + np.where(towards.sum(axis=1) < 0, (size - 1) * step, 0.0)
    return Grid(tuple(size[along]), tuple(step[along]), tuple(ends), tuple(towards.ravel()))


def is_orientation(axes: object) -> bool:
    """Say whether ``axes`` are three letters that name each of the patient's axes once, such as ``"RAS"``."""
    return isinstance(axes, str) and len(axes) == 3 and sorted(axes.translate(str.maketrans("RAI", "LPS"))) == [*"LPS"]


def cropped_grid(grid: Grid, start: tuple[int, int, int], size: tuple[int, int, int]) -> Grid:
    """Return the part of ``grid`` that begins at voxel ``start`` (I, J, K) and has ``size`` voxels (I, J, K)."""
    origin = grid.ijk_to_lps[:3, :3] @ np.array(start, dtype=np.float64) + np.array(grid.origin)
    return Grid(tuple(size), grid.spacing, tuple(origin), grid.direction)
