"""ResUNet: a U-Net of pre-activation residual units.

Zhang, Liu and Wang, "Road Extraction by Deep Residual U-Net", IEEE Geoscience and Remote Sensing Letters 15, 2018,
arXiv:1711.10684: three levels, a bridge and three levels back, 64 to 512 channels, 7.8 million parameters. That number
leaves none for the shortcuts, which the paper calls identity mappings; where a unit changes resolution or width, ours
are the parameter-free ones of He et al. 2016 (arXiv:1512.03385, option A): every second voxel, and zeros for channels
that are missing. MONAI's ``UNet`` with residual units is another shape (projected shortcuts, transposed convolutions).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .arguments import WIDEST, check_one_of, check_whole

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_LINEAR = {2: "bilinear", 3: "trilinear"}


class Unit(nn.Module):
    """Norm → ReLU → convolution, twice, plus the input.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: 2 halves the resolution.
        dim: 2 or 3.
        first: The network's first unit begins with its convolution, because an image needs no activation.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, dim: int, first: bool = False):
        super().__init__()
        conv, norm = _CONV[dim], _BATCH_NORM[dim]
        before = [] if first else [norm(inputs), nn.ReLU()]
        self.branch = nn.Sequential(
            *before,
            conv(inputs, outputs, 3, stride=stride, padding=1),
            norm(outputs),
            nn.ReLU(),
            conv(outputs, outputs, 3, padding=1),
        )
        self._stride, self._outputs = stride, outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, n…)`` to ``(N, outputs, n/stride…)``."""
        kept = x[:, : self._outputs]
        if self._stride > 1:
            kept = kept[(..., *(slice(None, None, self._stride),) * (x.dim() - 2))]
        missing = self._outputs - kept.shape[1]
        if missing:
            kept = F.pad(kept, (0, 0) * (x.dim() - 2) + (0, missing))
        return self.branch(x) + kept


class ResUNet(nn.Module):
    """The network. It has no deep supervision.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        width: Channels of the first level; published is 64.
        dim: 2 as published, or 3.

    Raises:
        ValueError: If there can be no such network.
    """

    divisor = smallest = 8
    norm_over_space = True

    def __init__(self, inputs: int, outputs: int, *, width: int = 64, dim: int = 3):
        super().__init__()
        check_whole("width", width, 1, WIDEST)
        check_one_of("dim", dim, (2, 3))
        widths = [width * 2**level for level in range(4)]
        self._mode = _LINEAR[dim]
        self.encoder = nn.ModuleList([Unit(inputs, width, 1, dim, first=True)])
        self.encoder.extend(Unit(widths[level - 1], widths[level], 2, dim) for level in (1, 2, 3))
        self.decoder = nn.ModuleList(
            Unit(widths[level] + widths[level + 1], widths[level], 1, dim) for level in (2, 1, 0)
        )
        self.head = _CONV[dim](width, outputs, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``(N, inputs, D, H, W)`` or ``(N, inputs, H, W)`` to logits of the same extents."""
        skips = []
        for unit in self.encoder:
            x = unit(x)
            skips.append(x)
        x = skips.pop()
        for unit in self.decoder:
            x = F.interpolate(x, scale_factor=2, mode=self._mode, align_corners=False)
            # The skip comes first, so that it is what the unit's shortcut keeps: it has the finer detail.
            x = unit(torch.cat([skips.pop(), x], dim=1))
        return self.head(x)
