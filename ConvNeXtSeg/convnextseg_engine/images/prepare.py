"""From a study to the network's input, and from the network's output back to the study's grid.

Training and inference both come through here, so what a model was trained on is what it is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .canonical import canonical, canonical_grid
from .grid import Grid
from .intensity import zscore_foreground
from .resample import anatomical_grid, cropped_grid, resample
from .study import Study

# Millimetres kept around the foreground, so that the border of the brain never touches the border of the input.
_CROP_MARGIN_MM = 6.0

# No scanner's bed is longer; more means that a header counts in something else than millimetres.
_LONGEST_MM = 5000.0


@dataclass(frozen=True)
class InputSpec:
    """What a network expects of its input.

    Attributes:
        channels: Channel names in network order.
        spacing: Millimetres along L, P, S.
        intensity: Name of the intensity scheme; ``"zscore-foreground"`` is the only one of our own.
        preparation: Empty for our own way; otherwise another program's, by its ``scheme``: see ``images/nnunet/``.
    """

    channels: tuple[str, ...]
    spacing: tuple[float, float, float]
    intensity: str = "zscore-foreground"
    preparation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedInput:
    """Network input: ``array`` of shape ``(C, D, H, W)``, float32, on ``grid``; absent channels are zero."""

    array: np.ndarray
    grid: Grid
    present: tuple[str, ...]


def prepare(study: Study, spec: InputSpec) -> PreparedInput:
    """Bring the study's channels onto one anatomical grid, crop to the foreground and normalise.

    Raises:
        InputError: If the study has none of the channels, an intensity scheme is unknown, a channel is 0 wherever the
            reference lies, no channel shows anything, or the reference's spacing cannot be in millimetres.
    """
    if spec.intensity != "zscore-foreground":
        raise InputError(
            f"The intensity scheme “{spec.intensity}” is not known to this version.",
            remedy="Update ConvNeXtSeg, or choose another model.",
            code="unknown-intensity",
        )
    present = tuple(name for name in spec.channels if name in study.channels)
    if not present:
        raise InputError(
            "None of the study's channels is one that the model knows.",
            reason=f"The model takes {', '.join(spec.channels)}; the study has {', '.join(study.channels) or 'none'}.",
            remedy="Assign at least one volume to one of the model's channels.",
            code="no-known-channel",
        )
    reference = canonical_grid(study.channels[study.reference])
    _check_extent(reference, study.reference, spec)
    whole = anatomical_grid(reference, spec.spacing)
    images = {name: _finite(canonical(study.channels[name])) for name in present}
    arrays = {name: sitk.GetArrayFromImage(resample(image, whole)) for name, image in images.items()}
    start, size = _foreground_box(list(arrays.values()), spec)
    _check_overlap(arrays, study.reference)
    k, j, i = (slice(a, a + n) for a, n in zip(reversed(start), reversed(size), strict=True))
    stacked = np.zeros((len(spec.channels), *reversed(size)), dtype=np.float32)
    for index, name in enumerate(spec.channels):
        if name in arrays:
            stacked[index] = zscore_foreground(arrays[name][k, j, i])
    if not stacked.any():
        raise InputError(
            "The images show nothing.",
            reason=f"Each of them ({', '.join(present)}) has one intensity throughout.",
            remedy="Check that the right volumes are assigned, and how they were exported.",
            code="empty-image",
        )
    return PreparedInput(stacked, cropped_grid(whole, start, size), present)


def restore(array: np.ndarray, prepared_grid: Grid, target: Grid) -> np.ndarray:
    """Bring one network output back to the study's grid; outside the network's input it is 0.

    Args:
        array: Probabilities of one region, shape ``(D, H, W)`` on ``prepared_grid``.
        prepared_grid: Grid of the network's input.
        target: Grid of the volume that the user chose.

    Returns:
        float32 array of ``target.shape``.
    """
    return sitk.GetArrayFromImage(resample(prepared_grid.image(array.astype(np.float32)), target))


def _finite(image: sitk.Image) -> sitk.Image:
    """Return ``image`` with NaN and infinities as 0, because one of them would spread over its neighbours."""
    if image.GetPixelID() not in (sitk.sitkFloat32, sitk.sitkFloat64):
        return image
    array = sitk.GetArrayViewFromImage(image)
    if np.isfinite(array).all():
        return image
    clean = sitk.GetImageFromArray(np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0))
    clean.CopyInformation(image)
    return clean


def _check_extent(grid: Grid, name: str, spec: InputSpec) -> None:
    """Refuse a volume that is longer than any scanner, or smaller than two voxels of the network."""
    low, high = grid.outer_box()
    longest = float((high - low).max())
    if not 2 * max(spec.spacing) <= longest <= _LONGEST_MM:
        raise InputError(
            f"The volume for {name} is {longest:.3g} mm long, which no study is.",
            reason=f"Its header says that voxels are {' × '.join(f'{v:g}' for v in grid.spacing)} mm apart, but these "
            "are probably no millimetres.",
            remedy="Correct the spacing in Slicer's Volumes module, or export the image again.",
            code="bad-spacing",
        )


def _check_overlap(arrays: dict[str, np.ndarray], reference: str) -> None:
    """Refuse a channel that shows nothing here: the user gave it and would believe that it was used."""
    for name, array in arrays.items():
        if not array.any():
            raise InputError(
                f"The volume for channel {name} does not overlap the volume for {reference}, or is empty there.",
                reason=f"Every voxel of {name} is 0 where {reference} lies.",
                remedy="Check that both are of the same patient and visit; otherwise leave the channel out.",
                code="no-overlap",
            )


def _foreground_box(arrays: list[np.ndarray], spec: InputSpec) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Start and size (I, J, K) of the box around the voxels that are non-zero in any channel, with a margin."""
    foreground = np.any([array != 0 for array in arrays], axis=0)
    if not foreground.any():
        raise InputError(
            "The images are empty where the chosen volume lies.",
            reason="Every voxel is 0 after bringing the channels onto one grid.",
            remedy="Check that the right volumes are assigned and that they overlap in space.",
            code="empty-image",
        )
    start, size = [], []
    for axis, spacing in zip((2, 1, 0), spec.spacing, strict=True):
        hit = np.flatnonzero(foreground.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(np.ceil(_CROP_MARGIN_MM / spacing))
        low = max(0, int(hit[0]) - margin)
        high = min(foreground.shape[axis], int(hit[-1]) + 1 + margin)
        start.append(low)
        size.append(high - low)
    return tuple(start), tuple(size)
