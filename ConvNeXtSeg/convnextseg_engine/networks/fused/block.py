"""A MedNeXt block by the fused path."""

from __future__ import annotations

import torch
from torch import nn

from .autograd import FusedBlock


def fused_block(block: nn.Module, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
    """Return ``block(x)``, residual included, for ``x`` of shape ``(N, C, D, H, W)`` or ``(N, C, H, W)``.

    Args:
        block: A block for which ``rule.applies``.
        x: The input, in any memory format; the result is channels-last.
        skip: Added to an up block's result.
    """
    projection = (block.res_conv.weight, block.res_conv.bias) if block.kind != "same" else (None, None)
    return FusedBlock.apply(
        x, skip, block.conv1.weight, block.conv1.bias, block.norm.weight, block.norm.bias, block.conv2.weight,
        block.conv2.bias, block.conv3.weight, block.conv3.bias, *projection, block.kind, block.norm.eps,
        torch.is_grad_enabled(),
    )  # fmt: skip
