"""A brain mask, and its use: every channel is 0 outside it, each on its own voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images.files import read_image
from ..images.grid import Grid
from ..images.resample import resample
from ..labels.seg_nrrd import read_seg_nrrd

_BRAIN = "brain"


def read_brain_mask(path: Path) -> sitk.Image:
    """Read a brain mask: an image whose non-zero voxels are brain, or the segment “brain” of a ``.seg.nrrd`` file.

    Raises:
        InputError: If the file cannot be read, is empty, or holds several segments none of which is called brain.
    """
    path = Path(path)
    if not path.name.endswith(".seg.nrrd"):
        image = read_image(path)
        array = np.nan_to_num(sitk.GetArrayViewFromImage(image)) != 0
        return mask_image(array, Grid.from_image(image))
    file = read_seg_nrrd(path)
    named = [segment for segment in file.segments if segment.name.strip().lower() == _BRAIN]
    chosen = named or list(file.segments)
    if len(chosen) != 1:
        raise InputError(
            f"{path.name} does not say which of its segments is the brain.",
            reason=f"It holds {', '.join(segment.name for segment in file.segments)}.",
            remedy="Name one segment “brain”, or give a file with only that segment.",
            code="no-brain-segment",
        )
    return mask_image(chosen[0].array, file.grid)


def mask_image(inside: np.ndarray, grid: Grid) -> sitk.Image:
    """Return booleans of shape ``(D, H, W)`` as a mask on ``grid``; raises :class:`InputError` if none is True."""
    if not inside.any():
        raise InputError(
            "The brain mask is empty.", remedy="Check that the right mask was chosen.", code="empty-brain-mask"
        )
    return grid.image(inside.astype(np.uint8))


def dilated(mask: sitk.Image, millimetres: float) -> sitk.Image:
    """Return the mask grown by ``millimetres`` in every direction; 0 leaves it as it is."""
    if millimetres <= 0:
        return mask
    radius = [int(np.ceil(millimetres / spacing)) for spacing in mask.GetSpacing()]
    padded = sitk.ConstantPad(mask, radius, radius, 0)  # a mask that fills its image may grow beyond it
    distance = sitk.SignedMaurerDistanceMap(padded, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return sitk.Cast(distance <= millimetres, sitk.sitkUInt8)


def on_grid(mask: sitk.Image, grid: Grid) -> np.ndarray:
    """Return where ``grid`` is brain, as booleans of ``grid.shape``: by place in the patient, never by index."""
    return sitk.GetArrayFromImage(resample(sitk.Cast(mask, sitk.sitkFloat32), grid)) >= 0.5


def masked(image: sitk.Image, mask: sitk.Image, name: str) -> sitk.Image:
    """Return a copy of ``image`` that is 0 outside the mask.

    Raises:
        InputError: If nothing of the mask lies in the image.
    """
    inside = on_grid(mask, Grid.from_image(image))
    if not inside.any():
        raise InputError(
            f"The brain mask does not lie where {name} lies.",
            reason="Not one voxel of the mask is inside that image.",
            remedy="Check that the mask is of the same patient and visit, and drawn on the reference channel.",
            code="brain-mask-elsewhere",
        )
    array = sitk.GetArrayFromImage(image)
    array[~inside] = 0
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


def removes(image: sitk.Image, mask: sitk.Image) -> float:
    """Return which part of the image's non-zero voxels lies outside the mask, 0 to 1."""
    filled = np.nan_to_num(sitk.GetArrayViewFromImage(image)) != 0
    outside = filled & ~on_grid(mask, Grid.from_image(image))
    return float(np.count_nonzero(outside)) / max(1, int(np.count_nonzero(filled)))
