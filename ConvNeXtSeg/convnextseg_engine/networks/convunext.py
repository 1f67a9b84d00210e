"""ConvUNeXt, a U-Net of ConvNeXt-like blocks with a light attention gate on the skips, for images and volumes.

Han, Jian and Wang, "ConvUNeXt: An efficient convolution neural network for medical image segmentation",
Knowledge-Based Systems 253, 2022, doi:10.1016/j.knosys.2022.109512. In 2D it equals the authors' network, state-dict
keys included. In 3D, which they do not have, every operation is the one of volumes that corresponds (docs/networks.md).
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from .arguments import WIDEST, check_odd_kernel, check_one_of, check_whole

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}
# Channels of the five levels in multiples of the width, and blocks of the four lower ones (section 3 of the paper).
_MULTIPLES = (1, 2, 4, 8, 8)
_BLOCKS = (1, 1, 3, 1)
_LEVELS = len(_BLOCKS)


class Block(nn.Module):
    """Depthwise convolution → norm → expansion by 4 → GELU → compression → norm, plus the input, then GELU.

    Args:
        channels: In and out.
        kernel: Odd extent of the depthwise convolution; the border is reflected.
        dim: 2 or 3.
    """

    def __init__(self, channels: int, kernel: int, dim: int):
        super().__init__()
        self.dwconv = _CONV[dim](
            channels, channels, kernel, padding=kernel // 2, groups=channels, padding_mode="reflect"
        )
        self.norm1 = _BATCH_NORM[dim](channels)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.norm2 = _BATCH_NORM[dim](channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, channels, …)`` to the same shape."""
        h = self.norm1(self.dwconv(x)).movedim(1, -1)
        h = self.pwconv2(F.gelu(self.pwconv1(h))).movedim(-1, 1)
        return F.gelu(x + self.norm2(h))


class Up(nn.Module):
    """Doubles the resolution, lets the deep features gate the skip, and joins the two.

    Args:
        channels: Of the deep features and of the skip.
        outputs: Channels out.
        kernel: Of the block at the end.
        dim: 2 or 3.
    """

    def __init__(self, channels: int, outputs: int, kernel: int, dim: int):
        super().__init__()
        self.norm = _BATCH_NORM[dim](channels)
        self.gate = nn.Linear(channels, 3 * channels)
        self.linear1 = nn.Linear(channels, channels)
        self.linear2 = nn.Linear(channels, channels)
        self.conv1x1 = _CONV[dim](2 * channels, outputs, 1)
        self.conv = nn.Sequential(Block(outputs, kernel, dim))
        self._mode = _LINEAR[dim]

    def forward(self, deep: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Map deep features ``(N, channels, n/2…)`` and the skip ``(N, channels, n…)`` to ``(N, outputs, n…)``."""
        deep = F.interpolate(self.norm(deep), scale_factor=2, mode=self._mode, align_corners=True)
        deep = F.pad(deep, _missing(deep, skip))
        last = deep.movedim(1, -1)
        kept = skip.movedim(1, -1)
        wanted, strength, content = self.gate(last).chunk(3, dim=-1)
        kept = torch.sigmoid(self.linear1(wanted + kept)) * kept + torch.sigmoid(strength) * torch.tanh(content)
        kept = self.linear2(kept).movedim(-1, 1)
        return self.conv(self.conv1x1(torch.cat([kept, deep], dim=1)))


def _missing(small: torch.Tensor, large: torch.Tensor) -> list[int]:
    """Return what ``F.pad`` adds to ``small``: half in front, the rest behind, the last axis first."""
    pads: list[int] = []
    for axis in range(small.dim() - 1, 1, -1):
        difference = large.shape[axis] - small.shape[axis]
        pads += [difference // 2, difference - difference // 2]
    return pads


class ConvUNeXt(nn.Module):
    """The network. It has no deep supervision.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        width: Channels of the first level; published is 32.
        kernel: Odd extent of the stem's and the depthwise convolutions; published is 7.
        dim: 2 as published, or 3.

    Raises:
        ValueError: If there can be no such network.
    """

    divisor = 1

    def __init__(self, inputs: int, outputs: int, *, width: int = 32, kernel: int = 7, dim: int = 2):
        super().__init__()
        check_whole("width", width, 1, WIDEST)
        check_odd_kernel(kernel)
        check_one_of("dim", dim, (2, 3))
        # A reflected border needs one voxel more than its thickness, on the coarsest level too.
        self.smallest = 2**_LEVELS * (kernel // 2 + 1)
        widths = [width * multiple for multiple in _MULTIPLES]
        conv, norm = _CONV[dim], _BATCH_NORM[dim]
        self.in_conv = nn.Sequential(
            conv(inputs, width, kernel, padding=kernel // 2, padding_mode="reflect"),
            norm(width),
            nn.GELU(),
            Block(width, kernel, dim),
        )
        for level, (above, below) in enumerate(itertools.pairwise(widths)):
            blocks = [Block(below, kernel, dim) for _ in range(_BLOCKS[level])]
            self.add_module(f"down{level + 1}", nn.Sequential(norm(above), conv(above, below, 2, stride=2), *blocks))
        for level in range(_LEVELS):
            deep = _LEVELS - 1 - level
            self.add_module(f"up{level + 1}", Up(widths[deep], widths[max(deep - 1, 0)], kernel, dim))
        self.out_conv = nn.Sequential(conv(width, outputs, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, H, W)`` or ``(N, inputs, D, H, W)`` to logits of the same extents.

        Any extents of at least ``smallest`` will do, odd ones too.
        """
        skips = [self.in_conv(x)]
        for level in range(_LEVELS):
            skips.append(self.get_submodule(f"down{level + 1}")(skips[-1]))
        x = skips.pop()
        for level in range(_LEVELS):
            x = self.get_submodule(f"up{level + 1}")(x, skips.pop())
        return self.out_conv(x)
