"""The encoder of ConvNeXt, for images and for volumes.

Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545. In 2D, with layer norm and kernel 7, its features
equal those of the published classifiers, whose weights ``convnext_weights.py`` loads. Stochastic depth, which those
classifiers were trained with, is left out: a network for segmentation sees far fewer images and has its decoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

CONV = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS = ("layer", "instance", "batch", "group", "none")
STAGES = 4
# Channels that share their mean and variance where the norm is “group”, as in Wu & He 2018 (arXiv:1803.08494).
_CHANNELS_A_GROUP = 16
_EXPANSION = 4
_FIRST_LAYER_SCALE = 1e-6
_WEIGHT_DEVIATION = 0.02


@dataclass(frozen=True)
class Size:
    """A published scaling: blocks of each of the four stages, and channels of the first; each next stage has twice."""

    depths: tuple[int, int, int, int]
    width: int


# Section 3.1 of the paper.
SIZES = {"T": Size((3, 3, 9, 3), 96), "S": Size((3, 3, 27, 3), 96), "B": Size((3, 3, 27, 3), 128)}


class LayerNorm(nn.Module):
    """Layer normalisation over the channel axis at each voxel, for ``(N, C, …)`` tensors; ConvNeXt's epsilon."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``x`` of shape ``(N, C, …)``."""
        return F.layer_norm(x.movedim(1, -1), self.weight.shape, self.weight, self.bias, 1e-6).movedim(-1, 1)


def norm_layer(norm: str, channels: int, dim: int) -> nn.Module:
    """Return a normalisation of ``channels``.

    Args:
        norm: ``"layer"`` (over channels, at each voxel: ConvNeXt's own), ``"instance"`` (over space, each channel for
            itself), ``"group"`` (over space and 16 channels at a time), ``"batch"`` or ``"none"``.
        channels: Their number.
        dim: 2 or 3.
    """
    if norm == "layer":
        return LayerNorm(channels)
    if norm == "batch":
        return {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dim](channels)
    if norm == "none":
        return nn.Identity()
    groups = channels if norm == "instance" else channels // _CHANNELS_A_GROUP
    return nn.GroupNorm(groups if groups and channels % groups == 0 else 1, channels)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution → norm → 4× expansion → GELU → compression → scale by channel, with a residual.

    Args:
        channels: Channels in and out.
        kernel: Odd kernel size of the depthwise convolution.
        dim: 2 or 3.
        norm: See :func:`norm_layer`.
    """

    def __init__(self, channels: int, kernel: int, dim: int, norm: str):
        super().__init__()
        conv = CONV[dim]
        self.conv_dw = conv(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = norm_layer(norm, channels, dim)
        self.mlp = nn.ModuleDict({
            "fc1": conv(channels, _EXPANSION * channels, 1),
            "fc2": conv(_EXPANSION * channels, channels, 1),
        })  # fmt: skip
        self.gamma = nn.Parameter(torch.full((channels,), _FIRST_LAYER_SCALE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, channels, …)`` to the same shape."""
        branch = self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm(self.conv_dw(x)))))
        return x + self.gamma.view(-1, *(1,) * (x.dim() - 2)) * branch


class Stage(nn.Module):
    """Blocks of one resolution, behind the halving that leads to it."""

    def __init__(self, inputs: int, channels: int, depth: int, kernel: int, dim: int, norm: str):
        super().__init__()
        self.downsample = (
            nn.Identity()
            if inputs == channels
            else nn.Sequential(norm_layer(norm, inputs, dim), CONV[dim](inputs, channels, 2, stride=2))
        )
        self.blocks = nn.Sequential(*(ConvNeXtBlock(channels, kernel, dim, norm) for _ in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, n…)`` to ``(N, channels, n/2…)``; the first stage keeps the extents."""
        return self.blocks(self.downsample(x))


class ConvNeXtEncoder(nn.Module):
    """ConvNeXt without its classifier: a 4×4 stem of stride 4 and four stages.

    Modules are named as timm names them, so that the names of a stage to freeze are widely known.

    Args:
        inputs: Image channels.
        depths: Blocks of each stage.
        width: Channels of the first stage; each next one has twice as many.
        kernel: Odd depthwise kernel; published is 7.
        dim: 2 or 3.
        norm: See :func:`norm_layer`.
        checkpointing: Recompute stages in the backward pass to save memory.
    """

    def __init__(
        self, inputs: int, depths: Sequence[int], width: int, kernel: int, dim: int, norm: str, checkpointing: bool
    ):
        super().__init__()
        self.widths = [width * 2**i for i in range(STAGES)]
        self.checkpointing = checkpointing
        self.stem = nn.Sequential(CONV[dim](inputs, width, 4, stride=4), norm_layer(norm, width, dim))
        self.stages = nn.ModuleList(
            Stage(self.widths[max(i - 1, 0)], self.widths[i], depths[i], kernel, dim, norm) for i in range(STAGES)
        )
        self.apply(_initialise)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of the stages, from 1/4 to 1/32 of the resolution.

        Args:
            x: Shape ``(N, inputs, …)``, each extent divisible by 32.

        Returns:
            Four tensors ``(N, width · 2^i, …)``.
        """
        x = self.stem(x)
        features = []
        for stage in self.stages:
            recompute = self.checkpointing and self.training and torch.is_grad_enabled()
            x = checkpoint(stage, x, use_reentrant=False) if recompute else stage(x)
            features.append(x)
        return features


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.trunc_normal_(module.weight, std=_WEIGHT_DEVIATION)
        nn.init.zeros_(module.bias)
