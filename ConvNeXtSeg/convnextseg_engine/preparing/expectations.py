"""What a model expects of a study, and what the study has: each mismatch with the step that mends it.

Nothing here changes an image, and no finding stops a run. The limits come from 12 real studies (docs/prepare.md), on
none of which one of them speaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from ..images.study import Study
from ..models.metadata import Metadata
from .sequence_check import sequence_findings
from .skull import is_skull_stripped
from .steps import Finding

# A voxel this many times longer than the network's, and this many mm long, shows too little of what it looks for. The
# oblique study's 5 mm are 3.3 times the 1.5 mm of the bundled model and do no harm.
_COARSE_FACTOR, _COARSE_MM = 5.0, 6.0
# Part of the network's window, and mm: a slab that is thinner shows the network less than it has learned from. Brains
# of BraTS 2021 are 128 mm and more along every axis.
_SHORT_PART, _SHORT_MM = 0.5, 90.0
# Part of the reference's foreground that a channel must show.
_LEAST_COVERED = 0.9
# Foreground values from the 0.5th to the 99.5th percentile lie between 0.000 and 1 of the upper one in MR.
_NEGATIVE_PART = -0.05
# A value other than 0 that fills this part of an image is its background.
_BACKGROUND_PART = 0.3
_POINTS = 4000
_LARGE = 64


def expectations(study: Study, metadata: Metadata | None, *, aligned: bool) -> tuple[Finding, ...]:
    """Compare a study with what a model expects.

    Args:
        study: Its channels as the network will get them.
        metadata: The model's, or None to look only at what every model expects.
        aligned: Whether the channels lie on one another; if not, they are not compared voxel by voxel.
    """
    known = study.channels
    if metadata is not None:
        known = {name: image for name, image in study.channels.items() if name in metadata.channels}
    found = [*_intensities(known), *_covered(known, study)]
    if metadata is not None:
        found += [*_skull(known, metadata), *_spacing(known, metadata), *_field_of_view(known, study, metadata)]
    if aligned:
        found += sequence_findings(known, study.reference_grid)
    return tuple(found)


def _skull(channels: Mapping[str, sitk.Image], metadata: Metadata) -> list[Finding]:
    if not metadata.skull_stripped:
        return []
    with_skull = tuple(name for name, image in channels.items() if not is_skull_stripped(image))
    if not with_skull:
        return []
    return [
        Finding(
            "skull", with_skull,
            f"The model is made for images whose skull has been removed, but {_listed(with_skull)} still "
            f"{'has' if len(with_skull) == 1 else 'have'} it.",
            "Give a brain mask (--brain-mask FILE), or let a model find the brain (--brain-mask-model NAME).",
            "--brain-mask",
        )
    ]  # fmt: skip


def _intensities(channels: Mapping[str, sitk.Image]) -> list[Finding]:
    found = []
    for name, image in channels.items():
        array = _sample(image)
        if array.min() == array.max():
            found.append(Finding(
                "constant", (name,), f"{name} has one intensity throughout, so it counts as not given.",
                "Check how it was exported, or leave it out.",
            ))  # fmt: skip
            continue
        background = _background(array)
        if background is not None:
            found.append(Finding(
                "background", (name,),
                f"{background:.0%} of {name} have one same value that is not 0, where the model expects 0.",
                "Give a brain mask (--brain-mask FILE), which sets everything outside the brain to 0; or export the "
                "image with its original intensities.",
                "--brain-mask",
            ))  # fmt: skip
            continue
        low, high = np.percentile(array[array != 0], (0.5, 99.5))
        if low < _NEGATIVE_PART * abs(high):
            found.append(Finding(
                "negative", (name,),
                f"{name} has many values below 0 (down to {low:.3g}), which MR images as scanned do not have.",
                "Check that it is no CT and that its intensities were not changed, and export the original image.",
            ))  # fmt: skip
    return found


def _sample(image: sitk.Image) -> np.ndarray:
    """Every second voxel along each axis of a large image, all of a small one; NaN and infinities as 0."""
    array = sitk.GetArrayViewFromImage(image)
    if min(array.shape) >= _LARGE:
        array = array[::2, ::2, ::2]
    return np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)


def _background(array: np.ndarray) -> float | None:
    """Part of the image that is filled by one value other than 0, None if there is no such value."""
    corners = array[:: max(1, array.shape[0] - 1), :: max(1, array.shape[1] - 1), :: max(1, array.shape[2] - 1)]
    value = float(np.median(corners))
    part = float(np.count_nonzero(array == value)) / array.size
    return part if value != 0 and part >= _BACKGROUND_PART else None


def _spacing(channels: Mapping[str, sitk.Image], metadata: Metadata) -> list[Finding]:
    finest = min(metadata.spacing)
    found = []
    for name, image in channels.items():
        coarsest = max(image.GetSpacing())
        if coarsest >= max(_COARSE_MM, _COARSE_FACTOR * finest):
            found.append(Finding(
                "spacing", (name,),
                f"The slices of {name} are {coarsest:.1f} mm apart; the model works at {finest:g} mm and may miss or "
                "blur small parts.",
                "Use a series with thinner slices if there is one, and check the result slice by slice.",
            ))  # fmt: skip
    return found


def _field_of_view(channels: Mapping[str, sitk.Image], study: Study, metadata: Metadata) -> list[Finding]:
    """The reference decides what is segmented at all, so only its extent counts here."""
    if study.reference not in channels:
        return []
    low, high = study.reference_grid.outer_box()
    window = np.array(metadata.patch[::-1]) * np.array(metadata.spacing)
    wanted = np.minimum(_SHORT_PART * window, _SHORT_MM)
    axes = [
        f"{length:.0f} mm {words}"
        for length, least, words in zip(
            high - low, wanted, ("from side to side", "from front to back", "from foot to head"), strict=True
        )
        if length < least
    ]
    if not axes:
        return []
    return [
        Finding(
            "field-of-view", (study.reference,),
            f"{study.reference} shows only {' and '.join(axes)}, less than the model has learned from.",
            "Choose a series that shows the whole brain as reference if there is one.",
        )
    ]  # fmt: skip


def _covered(channels: Mapping[str, sitk.Image], study: Study) -> list[Finding]:
    """Does each channel show what the reference shows?"""
    points = _foreground_points(study.channels[study.reference])
    found = []
    for name, image in channels.items():
        if name == study.reference:
            continue
        part = _part_inside(image, points)
        if part < _LEAST_COVERED:
            found.append(Finding(
                "field-of-view", (name,),
                f"{name} shows only {part:.0%} of what {study.reference} shows; elsewhere the model works without it.",
                f"Use a series of {name} that covers the same region if there is one.",
            ))  # fmt: skip
    return found


def _foreground_points(image: sitk.Image) -> np.ndarray:
    inside = np.nan_to_num(sitk.GetArrayViewFromImage(image)) != 0
    index = np.flatnonzero(inside)
    if not index.size:
        return np.zeros((0, 3))
    index = index[:: max(1, math.ceil(index.size / _POINTS))]
    ijk = np.stack(np.unravel_index(index, inside.shape)[::-1], axis=1).astype(np.float64)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return (ijk * np.array(image.GetSpacing())) @ direction.T + np.array(image.GetOrigin())


def _part_inside(image: sitk.Image, points: np.ndarray) -> float:
    """Part of the points that lie within the edges of ``image``; 1 if there are none."""
    if not len(points):
        return 1.0
    direction = np.array(image.GetDirection()).reshape(3, 3)
    index = (points - np.array(image.GetOrigin())) @ np.linalg.inv(direction).T / np.array(image.GetSpacing())
    fits = (index >= -0.5) & (index <= np.array(image.GetSize()) - 0.5)
    return float(fits.all(axis=1).mean())


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
