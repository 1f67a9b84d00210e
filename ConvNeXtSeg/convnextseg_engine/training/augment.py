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
    RandSimulateLowResolutiond,
)

from .recipe import Augmentation
from .warp import Warp

# Voxels; the Gaussian kernel is then a single 1. With 0 it would not be a number.
_NO_BLUR = 1e-3
# How many samples lose resolution: nnU-Net's share.
_COARSE_SHARE = 0.25


class Augmenter:
    """Turns a cut-out into a training sample.

    Args:
        settings: Ranges and probabilities.
        patch: Extent of the result along D, H, W. Where it is 1 (a 2D network's slice) nothing moves or blurs across.
    """

    def __init__(self, settings: Augmentation, patch: tuple[int, int, int]):
        thick = [extent > 1 for extent in patch]
        angle = float(np.deg2rad(settings.rotate_degrees))
        # A turn about one axis moves along the two others.
        angles = [angle if all(thick[:axis] + thick[axis + 1 :]) else 0.0 for axis in range(3)]
        scales = [settings.scale if is_thick else 0.0 for is_thick in thick]
        both, image = ["image", "regions"], ["image"]
        self._dropout = settings.channel_dropout
        # What a recipe does not ask for is not in the chain at all, so that it draws what it drew before there was it.
        others = [RandFlipd(both, prob=settings.flip_other_axes, spatial_axis=axis) for axis in (0, 1) if thick[axis]]
        more_flips = others if settings.flip_other_axes else []
        warp = [Warp(settings.elastic, patch)] if settings.elastic else []
        zooms = (1 - settings.low_resolution, 1.0)
        coarse = (
            [RandSimulateLowResolutiond(image, prob=_COARSE_SHARE, zoom_range=zooms)] if settings.low_resolution else []
        )
        self._move = Compose([
            RandAffined(
                both, prob=1.0, spatial_size=patch, rotate_range=angles, scale_range=scales,
                mode=("bilinear", "nearest"), padding_mode="zeros", cache_grid=True,
            ),
            RandFlipd(both, prob=settings.flip, spatial_axis=2),  # axis W is left–right on the anatomical grid
            *more_flips,
            *warp,
        ])  # fmt: skip
        blur = [(0.0, settings.blur_voxels) if is_thick else (_NO_BLUR, _NO_BLUR) for is_thick in thick]
        self._recolour = Compose([
            RandGaussianSmoothd(image, prob=0.2, sigma_x=blur[0], sigma_y=blur[1], sigma_z=blur[2]),
            RandAdjustContrastd(image, prob=0.3, gamma=(1 - settings.gamma, 1 + settings.gamma), retain_stats=True),
            RandScaleIntensityd(image, prob=0.5, factors=settings.contrast, channel_wise=True),
            RandShiftIntensityd(image, prob=0.5, offsets=settings.brightness, channel_wise=True),
            RandGaussianNoised(image, prob=0.3, std=settings.noise),
            *coarse,
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
