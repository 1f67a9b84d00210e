"""Do the channels look like what they are called? Contrast that shows, and sequences that are not mixed up.

Everything is compared voxel by voxel on a coarse grid inside the brain. The limits come from 12 real studies
(docs/prepare.md): T1 and T1c correlated by +0.18 to +0.88, T1 and T2 by −0.87 to −0.05; FLAIR correlated with T1c at
most 0.09 better than T1 did; and where T1 is darkest T2 was brighter than FLAIR by 0.4 to 5.3 standard deviations.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk

from ..images.grid import Grid
from ..images.resample import anatomical_grid, resample
from .pyramid import clipped, finite
from .steps import Finding

_SPACING_MM = 2.0
_ERODED_VOXELS = 3
# Fewer voxels than this (40 mL) say nothing about a brain.
_LEAST_VOXELS = 5000
# Brightest thousandth of T1c − T1 in robust standard deviations: 6.9 to 33 in real pairs, also without enhancing tumour
# (vessels and the choroid plexus take up contrast agent); 3.2 for two T1 images that differ by noise only.
_LEAST_ENHANCEMENT = 5.0
_T1_T1C_LEAST = 0.1
_T1_T2_MOST = 0.1
_T2_OVER_FLAIR = 0.0
_FLAIR_OVER_T1 = 0.2
_DARKEST_PERCENT = 5


def sequence_findings(channels: Mapping[str, sitk.Image], reference: Grid) -> list[Finding]:
    """Return what speaks against the names T1, T1c, T2 and FLAIR of channels that lie on one another."""
    names = [name for name in ("T1", "T1c", "T2", "FLAIR") if name in channels]
    if len(names) < 2:
        return []
    values = _brain_values({name: channels[name] for name in names}, reference)
    if values is None:
        return []
    return [*_contrast(values), *_mixed_up(values)]


def _brain_values(channels: Mapping[str, sitk.Image], reference: Grid) -> dict[str, np.ndarray] | None:
    """Intensities inside the brain, or head, of all channels, shape ``(N,)`` each; None if there is too little."""
    grid = anatomical_grid(reference, (_SPACING_MM,) * 3)
    arrays = {name: sitk.GetArrayFromImage(clipped(resample(finite(image), grid))) for name, image in channels.items()}
    shared = np.all([array > 0.05 * np.percentile(array, 99) for array in arrays.values()], axis=0)
    inner = sitk.BinaryErode(grid.image(shared.astype(np.uint8)), [_ERODED_VOXELS] * 3)
    inside = sitk.GetArrayViewFromImage(inner) != 0
    if np.count_nonzero(inside) < _LEAST_VOXELS:
        return None
    values = {name: array[inside].astype(np.float64) for name, array in arrays.items()}
    return values if all(v.std() > 0 for v in values.values()) else None


def _contrast(values: Mapping[str, np.ndarray]) -> list[Finding]:
    if "T1" not in values or "T1c" not in values:
        return []
    first, second = (_robust(values[name]) for name in ("T1", "T1c"))
    if first is None or second is None:
        return []
    difference = second - first
    difference -= np.median(difference)
    spread = 1.4826 * float(np.median(np.abs(difference)))
    if spread > 0 and np.percentile(difference, 99.9) / spread >= _LEAST_ENHANCEMENT:
        return []
    return [
        Finding(
            "contrast", ("T1", "T1c"),
            "T1c shows nothing brighter than T1: perhaps no contrast agent was given, or both are the same sequence.",
            "Check which series was taken after contrast agent; leave T1c out if there is none.",
        )
    ]  # fmt: skip


def _mixed_up(values: Mapping[str, np.ndarray]) -> list[Finding]:
    found = []

    def tell(first: str, second: str, why: str) -> None:
        found.append(Finding(
            "sequence", (first, second), f"{first} and {second} do not look like what they are called: {why}.",
            "Check which volume is assigned to which channel.",
        ))  # fmt: skip

    if "T1" in values and "T1c" in values and _correlation(values, "T1", "T1c") < _T1_T1C_LEAST:
        tell("T1", "T1c", "what is bright in one is not bright in the other")
    if "T1" in values and "T2" in values and _correlation(values, "T1", "T2") > _T1_T2_MOST:
        tell("T1", "T2", "they are bright in the same places, where fluid should be dark in T1 and bright in T2")
    if {"T1", "T1c", "FLAIR"} <= set(values):
        rather = _correlation(values, "FLAIR", "T1c") - _correlation(values, "T1", "T1c")
        if rather > _FLAIR_OVER_T1:
            tell("T1", "FLAIR", "T1c resembles FLAIR much more than T1")
    if {"T1", "T2", "FLAIR"} <= set(values):
        dark = values["T1"] <= np.percentile(values["T1"], _DARKEST_PERCENT)
        t2, flair = (_standardised(values[name])[dark].mean() for name in ("T2", "FLAIR"))
        if t2 - flair < _T2_OVER_FLAIR:
            tell("T2", "FLAIR", "fluid is brighter in FLAIR than in T2")
    return found


def _correlation(values: Mapping[str, np.ndarray], first: str, second: str) -> float:
    return float(np.corrcoef(values[first], values[second])[0, 1])


def _standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def _robust(values: np.ndarray) -> np.ndarray | None:
    """Values by their median and the distance of their quartiles, None if that distance is 0."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return (values - middle) / (high - low) if high > low else None
