"""Dice plus cross-entropy, for every rule by which a network's outputs mean regions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from monai.losses import DiceLoss
from torch.nn import functional as F

from ..labels.contract import EXCLUSIVE

Loss = Callable[[torch.Tensor | list[torch.Tensor], torch.Tensor], torch.Tensor]


def loss_for(outputs: str) -> Loss:
    """Return the loss for a contract's ``outputs``; called with logits and regions ``(N, R, …)``."""
    return exclusive_loss if outputs == EXCLUSIVE else region_loss


def region_loss(logits: torch.Tensor | list[torch.Tensor], regions: torch.Tensor) -> torch.Tensor:
    """Return Dice plus binary cross-entropy of regions, which may overlap.

    Args:
        logits: ``(N, R, …)``, or a list from full to coarser resolutions (deep supervision), which count 1, 1/2, 1/4, …
        regions: Truth ``(N, R, …)`` in 0..1 at full resolution; coarser truth is its mean over the coarser voxel.
    """
    return _over_levels(logits, regions, _dice(sigmoid=True), F.binary_cross_entropy_with_logits)


def exclusive_loss(logits: torch.Tensor | list[torch.Tensor], regions: torch.Tensor) -> torch.Tensor:
    """Return Dice, background included, plus cross-entropy of a softmax over background and labels.

    Args:
        logits: ``(N, 1 + R, …)``, background first, or a list from full to coarser resolutions.
        regions: Truth ``(N, R, …)`` in 0..1 at full resolution: one region a label, which do not overlap.
    """
    classes = torch.cat([1 - regions.sum(dim=1, keepdim=True), regions], dim=1)
    return _over_levels(logits, classes, _dice(softmax=True), F.cross_entropy)


def _dice(**activation: bool) -> DiceLoss:
    # A denominator over the batch, smoothed by one voxel: a patch without a region then asks for silence gently.
    return DiceLoss(**activation, batch=True, smooth_nr=1.0, smooth_dr=1.0)


def _over_levels(
    logits: torch.Tensor | list[torch.Tensor], truth: torch.Tensor, dice: DiceLoss, cross_entropy: Callable
) -> torch.Tensor:
    levels = logits if isinstance(logits, list) else [logits]
    weights = [0.5**i for i in range(len(levels))]
    total = levels[0].new_zeros(())
    for level, weight in zip(levels, weights, strict=True):
        wanted = truth if level.shape == truth.shape else F.adaptive_avg_pool3d(truth, level.shape[2:])
        total = total + weight * (dice(level, wanted) + cross_entropy(level, wanted))
    return total / sum(weights)
