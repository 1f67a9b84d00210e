"""Augmentation of training samples, from MONAI's transforms."""

from __future__ import annotations

import numpy as np
import torch
from monai.transforms import (
    Compose,
    RandAdjustContrastd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)

from .recipe import Augmentation


class Augmenter:
    """Turns a cut-out into a training sample.

    Args:
        settings: Ranges and probabilities.
        patch: Extent of the result along D, H, W.
    """

    def __init__(self, settings: Augmentation, patch: tuple[int, int, int]):
        angle = float(np.deg2rad(settings.rotate_degrees))
        both, image = ["image", "regions"], ["image"]
        self._dropout = settings.channel_dropout
        self._move = Compose([
            RandAffined(
                both, prob=1.0, spatial_size=patch, rotate_range=(angle,) * 3, scale_range=(settings.scale,) * 3,
                mode=("bilinear", "nearest"), padding_mode="zeros", cache_grid=True,
            ),
            RandFlipd(both, prob=settings.flip, spatial_axis=2),  # axis W is left–right on the anatomical grid
        ])  # fmt: skip
        blur = (0.0, settings.blur_voxels)
        self._recolour = Compose([
            RandGaussianSmoothd(image, prob=0.2, sigma_x=blur, sigma_y=blur, sigma_z=blur),
            RandAdjustContrastd(image, prob=0.3, gamma=(1 - settings.gamma, 1 + settings.gamma), retain_stats=True),
            RandScaleIntensityd(image, prob=0.5, factors=settings.contrast, channel_wise=True),
            RandShiftIntensityd(image, prob=0.5, offsets=settings.brightness, channel_wise=True),
            RandGaussianNoised(image, prob=0.3, std=settings.noise),
        ])  # fmt: skip

    def __call__(
        self, image: np.ndarray, regions: np.ndarray, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return an augmented image ``(C, D, H, W)`` and its regions ``(R, D, H, W)``, both float32.

        Args:
            image: Cut-out ``(C, …)``, z-scores with background 0.
            regions: Boolean cut-out ``(R, …)``.
            rng: Source of all randomness of this sample.
        """
        for transform in (self._move, self._recolour):
            transform.set_random_state(seed=int(rng.integers(2**31)))
        sample = self._move({"image": torch.from_numpy(image), "regions": torch.from_numpy(regions.astype(np.float32))})
        # Shift and noise would act everywhere, but at inference background and absent channels are exactly 0.
        inside = sample["image"].abs() > 1e-6
        present = inside.flatten(1).any(dim=1).numpy()
        foreground = inside.any(dim=0, keepdim=True)
        shown = torch.from_numpy(present & ~self._hidden(present, rng))[:, None, None, None]
        result = self._recolour(sample)
        return (result["image"] * foreground * shown).as_tensor().float(), result["regions"].as_tensor().float()

    def _hidden(self, present: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return which channels to hide; at least one present channel stays."""
        hidden = rng.random(len(present)) < self._dropout
        if not (present & ~hidden).any() and present.any():
            hidden[rng.choice(np.flatnonzero(present))] = False
        return hidden
