"""From probabilities on the network's grid to a mask on the grid of the user's volume, a few slices at a time.

All regions of a whole volume at once would take more memory than the network: ten regions of 512³ voxels are 5 GB. Only
the slices at hand, and only the box that the network has seen, hold probabilities; elsewhere nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..images.grid import Grid
from ..images.resample import cropped_grid, resample
from ..images.separable import parallel_axes, resample_parallel
from ..labels.contract import LabelContract
from ..labels.regions import labels_from_regions
from ..progress import Reporter

# Voxels of all regions together that are interpolated at a time: 8 MB, which a processor's cache can hold.
_AT_A_TIME = 2_000_000


@dataclass(frozen=True)
class Restored:
    """A result on the user's grid.

    Attributes:
        mask: Labels by the contract's values, uint8, ``(D, H, W)``.
        probabilities: Regions, float32, ``(R, D, H, W)``; None unless asked for.
    """

    mask: np.ndarray
    probabilities: np.ndarray | None


def restore_labels(
    probabilities: np.ndarray, inner: Grid, target: Grid, contract: LabelContract, reporter: Reporter, *, keep: bool
) -> Restored:
    """Bring probabilities onto a grid and say which label each voxel has.

    Args:
        probabilities: Of the regions, float32, ``(R, D, H, W)`` on ``inner``.
        inner: Grid of the network's input.
        target: Grid of the result; outside ``inner`` every probability is 0.
        contract: What the regions mean.
        reporter: Hears of progress and can cancel.
        keep: Also return the probabilities on ``target``.
    """
    mask = np.zeros(target.shape, dtype=np.uint8)
    kept = np.zeros((len(probabilities), *target.shape), dtype=np.float32) if keep else None
    onto = _Interpolation(probabilities, inner, target)
    for here, place, done in _slabs(inner, target, len(probabilities)):
        reporter.progress("restore", done, "onto the grid of the chosen volume")
        slab = onto(here)
        mask[place] = labels_from_regions(slab, contract)
        if kept is not None:
            kept[(slice(None), *place)] = slab
    return Restored(mask, kept)


def restore_map(values: np.ndarray, inner: Grid, target: Grid) -> np.ndarray:
    """Bring one number a voxel, float32, ``(D, H, W)`` on ``inner``, onto ``target`` as probabilities are brought."""
    found = np.zeros(target.shape, dtype=np.float32)
    onto = _Interpolation(values[None], inner, target)
    for here, place, _done in _slabs(inner, target, 1):
        found[place] = onto(here)[0]
    return found


def _slabs(inner: Grid, target: Grid, regions: int) -> Iterator[tuple[Grid, tuple[slice, slice, slice], float]]:
    """Yield the parts of ``target`` that ``inner`` covers: grid, place in the array, share done before."""
    start, size = covered_box(inner, target)
    (i, j, k), (width, height, depth) = start, size
    thickness = slices_at_a_time(regions, size)
    for done in range(0, depth, thickness):
        here = cropped_grid(target, (i, j, k + done), (width, height, min(thickness, depth - done)))
        place = (slice(k + done, k + done + here.size[2]), slice(j, j + height), slice(i, i + width))
        yield here, place, done / depth


class _Interpolation:
    """Arrays ``(R, D, H, W)`` on a grid, brought onto parts of another."""

    def __init__(self, arrays: np.ndarray, inner: Grid, target: Grid):
        self._arrays, self._inner = arrays, inner
        # ITK interpolates images, which are copies; grids with parallel axes do without.
        turned = parallel_axes(inner, target) is None
        self._images = [inner.image(array) for array in arrays] if turned else []

    def __call__(self, part: Grid) -> np.ndarray:
        """Return the arrays on ``part``, float32; 0 outside."""
        found = np.empty((len(self._arrays), *part.shape), dtype=np.float32)
        if self._images:
            for index, image in enumerate(self._images):
                found[index] = sitk.GetArrayFromImage(resample(image, part))
        else:
            parallel = parallel_axes(self._inner, part)
            for index, array in enumerate(self._arrays):
                found[index] = resample_parallel(array, *parallel)
        return found


def slices_at_a_time(regions: int, size: tuple[int, int, int]) -> int:
    """Return how many slices of a box of ``size`` (I, J, K) are interpolated at a time."""
    return max(1, _AT_A_TIME // max(1, regions * size[0] * size[1]))


def covered_box(inner: Grid, outer: Grid) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return start and size (I, J, K) of the box of ``outer`` outside of which no voxel lies in ``inner``.

    Sizes are 0 if the grids do not meet.
    """
    last = np.array(inner.size) - 0.5
    corners = np.array([[i, j, k] for k in (-0.5, last[2]) for j in (-0.5, last[1]) for i in (-0.5, last[0])])
    to_outer = np.linalg.inv(outer.ijk_to_lps) @ inner.ijk_to_lps
    index = corners @ to_outer[:3, :3].T + to_outer[:3, 3]
    # One thousandth of a voxel for the last digits; voxels that are taken in vain become 0 all the same.
    low = np.maximum(np.ceil(index.min(axis=0) - 1e-3), 0).astype(int)
    high = np.minimum(np.floor(index.max(axis=0) + 1e-3), np.array(outer.size) - 1).astype(int)
    size = np.maximum(high - low + 1, 0)
    if not size.all():
        return (0, 0, 0), (0, 0, 0)
    return tuple(int(v) for v in low), tuple(int(v) for v in size)
