"""Changing the size of an array as nnU-Net does (``resample_data_or_seg_to_shape``; Isensee et al. 2021).

A spline through the voxels, whose volume keeps its outer edges; it never leaves the range of the voxels that it goes
through. With thick slices the coarse axis is interpolated apart, by default to the nearest slice, because between
slices that lie far apart a spline invents what is not there.

nnU-Net lets scikit-image do it, which lets SciPy do it; here SciPy is asked directly.
"""

from __future__ import annotations

import numpy as np

from ...errors import ResourceError
from .preparation import ResamplingRule

Spacing = tuple[float, float, float]
Extents = tuple[int, int, int]


def ndimage():
    """Return ``scipy.ndimage``, or say how to get it.

    Raises:
        ResourceError: If SciPy is not installed.
    """
    try:
        import scipy.ndimage as module
    except ImportError as error:
        raise ResourceError(
            "This model needs SciPy, which is not installed.",
            reason="It comes from nnU-Net, whose way to resample images is SciPy's.",
            remedy="Install it with: pip install scipy (3D Slicer has it already).",
            code="no-scipy",
        ) from error
    return module


def resample(array: np.ndarray, shape: Extents, old: Spacing, new: Spacing, rule: ResamplingRule) -> np.ndarray:
    """Return ``array`` at another size.

    Args:
        array: Shape ``(C, D, H, W)``.
        shape: Wanted extents.
        old: Its spacing in mm along D, H, W.
        new: The wanted spacing; like ``old`` it only decides whether a coarse axis is interpolated apart.
        rule: Orders, and whether that is decided at all.

    Returns:
        Array of shape ``(C, *shape)`` with the type of ``array``; ``array`` itself if that is its size already.
    """
    if array.shape[1:] == tuple(shape):
        return array
    axis = coarse_axis(old, new, rule)
    resized = np.empty((len(array), *shape), dtype=array.dtype)
    for channel, values in enumerate(array):
        exact = values.astype(np.float64)
        resized[channel] = _resize(exact, shape, rule.order) if axis is None else _apart(exact, shape, axis, rule)
    return resized


def resample_mask(mask: np.ndarray, shape: Extents, old: Spacing, new: Spacing, rule: ResamplingRule) -> np.ndarray:
    """Return a boolean ``(D, H, W)`` mask at another size, as nnU-Net v1 resamples its non-zero region."""
    if mask.shape == tuple(shape):
        return mask
    axis = coarse_axis(old, new, rule)
    if axis is None:
        return _resize(mask.astype(np.float64), shape, rule.order) >= 0.5
    in_plane = list(shape)
    in_plane[axis] = mask.shape[axis]
    slices = [_resize(s, _without(shape, axis), rule.order) >= 0.5 for s in _slices(mask.astype(np.float64), axis)]
    return _along(np.stack(slices, axis=axis).astype(np.float64), shape, rule.order_z) >= 0.5


def coarse_axis(old: Spacing, new: Spacing, rule: ResamplingRule) -> int | None:
    """Return the axis that is interpolated apart from the other two, or None.

    It is the one with the largest spacing of an anisotropic array; if two axes share it (thin slabs), none is.
    """
    if rule.separate_z is False:
        return None
    chosen = old
    if rule.separate_z is None:
        anisotropic = [spacing for spacing in (old, new) if max(spacing) / min(spacing) > rule.anisotropy]
        if not anisotropic:
            return None
        chosen = anisotropic[0]
    coarse = [axis for axis in range(3) if chosen[axis] == max(chosen)]
    return coarse[0] if len(coarse) == 1 else None


def _resize(array: np.ndarray, shape: tuple[int, ...], order: int) -> np.ndarray:
    factors = [1 / (old / new) for old, new in zip(array.shape, shape, strict=True)]
    resized = ndimage().zoom(array, factors, order=order, mode="nearest", grid_mode=True)
    return np.clip(resized, array.min(), array.max(), out=resized)


def _apart(array: np.ndarray, shape: Extents, axis: int, rule: ResamplingRule) -> np.ndarray:
    in_plane = _without(shape, axis)
    planes = np.stack([_resize(plane, in_plane, rule.order) for plane in _slices(array, axis)], axis=axis)
    return _along(planes, shape, rule.order_z)


def _along(array: np.ndarray, shape: Extents, order: int) -> np.ndarray:
    """Interpolate to ``shape``; all axes but one have their extents already, so only along that one."""
    if array.shape == tuple(shape):
        return array
    scales = [old / new for old, new in zip(array.shape, shape, strict=True)]
    places = [scale * (np.arange(new) + 0.5) - 0.5 for scale, new in zip(scales, shape, strict=True)]
    return ndimage().map_coordinates(array, np.meshgrid(*places, indexing="ij"), order=order, mode="nearest")


def _slices(array: np.ndarray, axis: int) -> list[np.ndarray]:
    return list(np.moveaxis(array, axis, 0))


def _without(shape: Extents, axis: int) -> tuple[int, ...]:
    return tuple(extent for number, extent in enumerate(shape) if number != axis)
