"""From a study to the input of a network that comes from nnU-Net.

nnU-Net keeps the voxels' axes as they are stored and expects all channels on one grid. Where they are not, they are
first brought onto the reference's grid by their geometry; where they are, no voxel is touched, so that the network
sees exactly what it sees in nnU-Net.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..canonical import canonical
from ..finite import finite
from ..foreground import require_overlap, require_something
from ..grid import Grid
from ..resample import resample as resample_image
from ..study import Study
from .intensities import normalise_v1, normalise_v2
from .placement import Placement, turned
from .preparation import V2, Preparation, ResamplingRule
from .resampling import ndimage, resample, resample_mask

# nnU-Net v1 resamples its non-zero region with its rule for label masks.
_MASK_ORDER = 1


def prepare_nnunet(
    study: Study, channels: tuple[str, ...], present: tuple[str, ...], preparation: Preparation
) -> tuple[np.ndarray, Placement]:
    """Return the network's input and where it lies.

    Args:
        study: Channels in physical space.
        channels: The model's channels, in network order.
        present: Those of them that the study has.
        preparation: How the model's images are prepared.

    Returns:
        Array of shape ``(C, D, H, W)``, float32, along the network's axes; absent channels are 0. And its placement.

    Raises:
        InputError: If a channel is 0 wherever the reference lies, or all are.
        ResourceError: If SciPy is missing.
    """
    whole, grid = _on_one_grid(study, present, preparation.orientation)
    axes = preparation.axes
    data = np.zeros((len(channels), *grid.shape), dtype=np.float32)
    for name, array in whole.items():
        data[channels.index(name)] = array
    data = data.transpose(0, *(axis + 1 for axis in axes))
    box, nonzero = _nonzero_box(data)
    data = data[(slice(None), *box)]
    old = tuple(grid.spacing[2 - axis] for axis in axes)
    new = tuple(wanted or kept for wanted, kept in zip(preparation.spacing, old, strict=True))
    shape = tuple(max(1, round(a / b * n)) for a, b, n in zip(old, new, data.shape[1:], strict=True))
    indices = [channels.index(name) for name in present]
    if preparation.scheme == V2:
        for index in indices:
            normalise_v2(data[index], preparation.intensities[index], nonzero)
        data = resample(data, shape, old, new, preparation.data)
    else:
        data = resample(data, shape, old, new, preparation.data)
        rule = ResamplingRule(_MASK_ORDER, 0, preparation.data.separate_z, preparation.data.anisotropy)
        nonzero = resample_mask(nonzero, shape, old, new, rule)
        for index in indices:
            normalise_v1(data[index], preparation.intensities[index], nonzero)
    return np.ascontiguousarray(data), Placement(preparation, grid, box, old, new, shape)


def _on_one_grid(study: Study, present: tuple[str, ...], orientation: str) -> tuple[dict[str, np.ndarray], Grid]:
    reference = turned(canonical(study.channels[study.reference]), orientation)
    grid = Grid.from_image(reference)
    arrays = {}
    for name in present:
        image = turned(canonical(finite(study.channels[name])), orientation)
        if not Grid.from_image(image).same_as(grid):
            image = resample_image(image, grid)
        arrays[name] = sitk.GetArrayFromImage(image).astype(np.float32)
    require_something(arrays, study.channels)
    require_overlap(arrays, study.reference, study.channels)
    return arrays, grid


def _nonzero_box(data: np.ndarray) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """Return the box around all voxels that are not 0 in any channel, and in it which those are, holes filled."""
    nonzero = ndimage().binary_fill_holes(np.any(data != 0, axis=0))
    box = []
    for axis in range(3):
        hit = np.flatnonzero(nonzero.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(int(hit[0]), int(hit[-1]) + 1))
    return tuple(box), nonzero[tuple(box)]
