"""What the user wants done to a study before it is segmented."""

from __future__ import annotations

from dataclasses import dataclass

import SimpleITK as sitk

from ..errors import InputError

REGISTER = ("off", "check", "rigid")
_LARGEST_DILATION_MM = 20.0


@dataclass(frozen=True)
class PreparationOptions:
    """Wishes for :func:`preparing.workflow.prepare_study`.

    Attributes:
        register: ``"off"``; ``"check"`` (say if channels are not aligned); ``"rigid"`` (also align them).
        brain_mask: Image on any grid in the reference's space whose non-zero voxels are brain, or None.
        brain_mask_model: Model that finds the brain, or None; a given mask goes first.
        dilation_mm: How far the brain mask is grown before it is used.
        expectations: Whether the study is compared with what the model expects.
        use_cache: Whether results of earlier preparations are used and new ones kept.
        device: Where the brain model runs.
    """

    register: str = "check"
    brain_mask: sitk.Image | None = None
    brain_mask_model: str | None = None
    dilation_mm: float = 0.0
    expectations: bool = True
    use_cache: bool = True
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.register not in REGISTER:
            raise InputError(
                f"“{self.register}” is no way to register channels.", remedy=f"Choose one of {', '.join(REGISTER)}.",
                code="bad-arguments",
            )  # fmt: skip
        if not 0.0 <= self.dilation_mm <= _LARGEST_DILATION_MM:
            raise InputError(
                f"A brain mask cannot be grown by {self.dilation_mm:g} mm.",
                remedy=f"Give millimetres from 0 to {_LARGEST_DILATION_MM:g}.", code="bad-arguments",
            )  # fmt: skip
