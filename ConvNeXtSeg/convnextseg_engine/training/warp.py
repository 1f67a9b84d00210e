"""A smooth random warp of a training sample, image and regions alike (elastic deformation)."""

from __future__ import annotations

import torch
from monai.transforms import Randomizable, RandSmoothDeformd

# The shifts are drawn at so many points along each axis and interpolated between them; a frame of zeros around them
# keeps the border in its place. With more points the same shift would bend the image more sharply, and fold it.
_POINTS = 5
# How many samples are warped: nnU-Net's share for its elastic deformation.
_SHARE = 0.2


class Warp(Randomizable):
    """Warps a fifth of the samples.

    Args:
        largest: Largest shift along each axis, as a fraction of the sample's extent there.
        patch: Extent of the sample along D, H, W. Where it is 1 (a 2D network's slice) nothing moves across.
    """

    def __init__(self, largest: float, patch: tuple[int, int, int]):
        self._thin = next((axis for axis, extent in enumerate(patch) if extent == 1), None)
        extents = [extent for extent in patch if extent > 1]
        self._deform = RandSmoothDeformd(
            ["image", "regions"], spatial_size=extents, rand_size=[_POINTS] * len(extents), pad=1, prob=1.0,
            field_mode="trilinear" if len(extents) == 3 else "bilinear", align_corners=True,
            def_range=2 * largest,  # MONAI measures an image as 2 long
            grid_mode=("bilinear", "nearest"), grid_padding_mode="zeros", grid_align_corners=True,
        )  # fmt: skip

    def __call__(self, sample: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the sample, warped or not.

        Args:
            sample: ``image`` of shape ``(C, D, H, W)`` and ``regions`` of shape ``(R, D, H, W)``.
        """
        if self.R.random() >= _SHARE:
            return sample
        self._deform.set_random_state(seed=int(self.R.randint(2**31 - 1)))
        if self._thin is None:
            return self._deform(sample)
        flat = {key: value.squeeze(self._thin + 1) for key, value in sample.items()}
        return {key: value.unsqueeze(self._thin + 1) for key, value in self._deform(flat).items()}
