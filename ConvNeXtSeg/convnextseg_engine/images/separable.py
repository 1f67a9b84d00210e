"""Linear interpolation between grids whose axes are parallel: one axis after the other, several times faster.

Most studies are scanned along the patient's axes, and then neither the way to the network's grid nor the way back
needs the eight neighbours of every voxel: two planes, then two rows, then two voxels will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .grid import Grid

# A turn that moves no voxel by more than this part of a voxel is no turn, only the last digits of a header.
_NO_TURN = 1e-6
# A voxel whose centre lies on the image's very edge is inside, whatever the last digits say.
_ON_THE_EDGE = 1e-6


@dataclass(frozen=True)
class _Axis:
    """Where the new voxels of one axis lie among the old ones: between ``low`` and ``high``, ``part`` of the way."""

    low: np.ndarray
    high: np.ndarray
    part: np.ndarray
    inside: np.ndarray

    @property
    def copies(self) -> bool:
        """Whether every new voxel is an old one."""
        return not self.part.any()


def parallel_axes(source: Grid, target: Grid) -> tuple[tuple[int, ...], tuple[_Axis, ...]] | None:
    """Return how the axes of two grids belong together, or None if they are turned against each other.

    Returns:
        For each array axis of ``target`` (D, H, W) the array axis of ``source`` that is parallel to it, and for each of
        these, in the order of ``target``, where its voxels lie.
    """
    matrix = np.linalg.inv(source.ijk_to_lps) @ target.ijk_to_lps  # from the target's index to the source's
    size = np.array(target.size, dtype=np.float64)
    owner = np.abs(matrix[:3, :3]).argmax(axis=0)  # for each target axis I, J, K the source axis it runs along
    if len(set(owner.tolist())) != 3:
        return None
    turned = np.abs(matrix[:3, :3]) * size
    turned[owner, range(3)] = 0
    if turned.sum(axis=1).max() > _NO_TURN:
        return None
    axes = []
    for mine in (2, 1, 0):
        theirs = int(owner[mine])
        position = matrix[theirs, mine] * np.arange(target.size[mine]) + matrix[theirs, 3]
        axes.append(_axis(position, source.size[theirs]))
    return tuple(2 - int(owner[mine]) for mine in (2, 1, 0)), tuple(axes)


def _axis(position: np.ndarray, extent: int) -> _Axis:
    inside = (position >= -0.5 - _ON_THE_EDGE) & (position <= extent - 0.5 + _ON_THE_EDGE)
    # Between the outermost centre and the edge of the image the outermost value holds, as in ITK.
    held = np.clip(position, 0, extent - 1)
    whole = np.round(held)
    held = np.where(np.abs(held - whole) < _ON_THE_EDGE, whole, held)
    low = np.floor(held).astype(np.intp)
    return _Axis(low, np.minimum(low + 1, extent - 1), (held - low).astype(np.float32), inside)


def resample_parallel(
    array: np.ndarray, order: tuple[int, ...], axes: tuple[_Axis, ...], outside: float = 0.0
) -> np.ndarray:
    """Return ``array`` (D, H, W) at new voxels, float32; those beyond its border become ``outside``.

    Args:
        array: Values on the source grid.
        order: As :func:`parallel_axes` gives it.
        axes: As :func:`parallel_axes` gives it.
        outside: Value beyond the border.
    """
    result = array.transpose(order)
    # The axis that loses most voxels first, so that the later ones have less to do.
    for axis in sorted(range(3), key=lambda a: len(axes[a].low) / array.shape[order[a]]):
        result = _along(result, axis, axes[axis])
    result = np.ascontiguousarray(result, dtype=np.float32)
    for axis, where in enumerate(axes):
        if not where.inside.all():
            result[(slice(None),) * axis + (~where.inside,)] = outside
    return result


def _along(array: np.ndarray, axis: int, where: _Axis) -> np.ndarray:
    if where.copies and len(where.low) == array.shape[axis] and np.array_equal(where.low, np.arange(len(where.low))):
        return array
    low = array.take(where.low, axis=axis).astype(np.float32, copy=False)
    if where.copies:
        return low
    step = array.take(where.high, axis=axis).astype(np.float32, copy=False)
    step -= low
    step *= where.part.reshape([-1 if a == axis else 1 for a in range(3)])
    step += low
    return step
