"""The weight of each voxel of a window: a network is less sure near the border of its input.

A Gaussian around the window's middle voxel with a deviation of 1/8 of its extent, as in nnU-Net (Isensee et al. 2021).
It is a product of one factor an axis, and windows form a regular lattice, so the sum of all windows' weights is such a
product too and needs no volume of its own.
"""

from __future__ import annotations

import torch

from .tiling import Tiling

_DEVIATION = 1 / 8  # of the window's extent, as in nnU-Net


def axis_weights(patch: int) -> torch.Tensor:
    """Return the weights along one axis of a window, shape ``(patch,)``, 1 at the voxel ``patch // 2``."""
    distance = torch.arange(patch, dtype=torch.float64) - patch // 2
    return torch.exp(-0.5 * (distance / (patch * _DEVIATION)) ** 2).float()


def window_weights(patch: tuple[int, int, int]) -> torch.Tensor:
    """Return the weights of a window's voxels, float32, shape ``patch``."""
    return _product([axis_weights(extent) for extent in patch])


def axis_sums(tiling: Tiling) -> list[torch.Tensor]:
    """Return, for each axis, the summed weights of all windows: three vectors over the padded input.

    The weights of all windows at voxel (d, h, w) are the product of the three entries.
    """
    sums = []
    for extent, patch, starts in zip(tiling.padded, tiling.patch, tiling.axis_starts, strict=True):
        total, weights = torch.zeros(extent), axis_weights(patch)
        for start in starts:
            total[start : start + patch] += weights
        sums.append(total)
    return sums


def _product(factors: list[torch.Tensor]) -> torch.Tensor:
    d, h, w = factors
    return d[:, None, None] * h[None, :, None] * w[None, None, :]
