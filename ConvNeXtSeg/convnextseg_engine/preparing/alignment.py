"""Are two channels of one patient aligned? A small rigid movement must not raise their mutual information clearly."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..progress import Reporter
from .registration import COARSE, FINE, Registration, register

# Measured by scripts/measure_alignment.py (docs/prepare.md): in 36 aligned real pairs the best movement was at most
# 1.1 mm (the two images' own error of alignment, and noise); after motions of 3 mm or 3° it was at least 1.7 mm.
MISALIGNED_MM = 1.5
# Where 4 mm voxels already say less than this, finer ones need not be asked; their error on those pairs was up to
# 1.5 mm, so that a motion of 3 mm cannot hide below it.
_CLEARLY_ALIGNED_MM = 1.0
# Below this part of the smaller foreground in common, two images cannot show the same patient in the same place.
LITTLE_OVERLAP = 0.6


@dataclass(frozen=True)
class Alignment:
    """How one channel lies to the reference.

    Attributes:
        aligned: Whether it lies where it should.
        displacement_mm: Mean movement of places in the patient that would fit better.
        shift_mm: How much of it moves the middle of the patient.
        angle_deg: How much of it turns.
        gain: By which part the mutual information would rise.
        overlap: Part of the smaller foreground that lies in the other one, 0 to 1.
    """

    aligned: bool
    displacement_mm: float
    shift_mm: float
    angle_deg: float
    gain: float
    overlap: float


def check_alignment(fixed: sitk.Image, moving: sitk.Image, reporter: Reporter | None = None) -> Alignment:
    """Compare one channel with the reference channel; neither is changed."""
    found = register(fixed, moving, COARSE, reporter)
    if found.displacement_mm >= _CLEARLY_ALIGNED_MM:
        found = register(fixed, moving, FINE, reporter)
    return alignment_of(found)


def alignment_of(found: Registration) -> Alignment:
    """Return what a registration says about how the images lay before it."""
    return Alignment(
        aligned=found.displacement_mm < MISALIGNED_MM and found.overlap_before >= LITTLE_OVERLAP,
        displacement_mm=found.displacement_mm,
        shift_mm=found.shift_mm,
        angle_deg=found.angle_deg,
        gain=found.gain,
        overlap=found.overlap_before,
    )
