"""U-Net with batch normalisation and linear upsampling, the baseline that ConvUNeXt was compared with.

Ronneberger, Fischer and Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015,
arXiv:1505.04597, in the shape that became usual: padded convolutions, batch normalisation, and linear interpolation
instead of transposed convolutions, with half the channels at the bottom and in the middle of each decoder level.
MONAI's ``UNet`` and ``BasicUNet`` are other shapes (strided convolutions, and other widths in the decoder).
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from .arguments import WIDEST, check_one_of, check_whole

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL = {2: F.max_pool2d, 3: F.max_pool3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}
_MULTIPLES = (1, 2, 4, 8, 8)


class UNet(nn.Module):
    """The network. It has no deep supervision.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        width: Channels of the first level.
        dim: 2 or 3.

    Raises:
        ValueError: If there can be no such network.
    """

    divisor = smallest = 16
    norm_over_space = True

    def __init__(self, inputs: int, outputs: int, *, width: int = 32, dim: int = 3):
        super().__init__()
        check_whole("width", width, 1, WIDEST)
        check_one_of("dim", dim, (2, 3))
        self._dim = dim
        widths = [width * multiple for multiple in _MULTIPLES]
        self.encoder = nn.ModuleList(
            _double(above, below, below, dim) for above, below in itertools.pairwise([inputs, *widths])
        )
        # A decoder level joins the skip with what comes from below; both have the skip's number of channels.
        self.decoder = nn.ModuleList(
            _double(2 * skip, skip, after, dim)
            for skip, after in zip(reversed(widths[:-1]), [*reversed(widths[:-2]), width], strict=True)
        )
        self.head = _CONV[dim](width, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, D, H, W)`` or ``(N, inputs, H, W)`` to logits of the same extents."""
        skips = []
        for level, stage in enumerate(self.encoder):
            x = stage(_POOL[self._dim](x, 2) if level else x)
            skips.append(x)
        x = skips.pop()
        for stage in self.decoder:
            x = F.interpolate(x, scale_factor=2, mode=_LINEAR[self._dim], align_corners=True)
            x = stage(torch.cat([skips.pop(), x], dim=1))
        return self.head(x)


def _double(inputs: int, middle: int, outputs: int, dim: int) -> nn.Sequential:
    conv, norm = _CONV[dim], _BATCH_NORM[dim]
    return nn.Sequential(
        conv(inputs, middle, 3, padding=1, bias=False), norm(middle), nn.ReLU(inplace=True),
        conv(middle, outputs, 3, padding=1, bias=False), norm(outputs), nn.ReLU(inplace=True),
    )  # fmt: skip
