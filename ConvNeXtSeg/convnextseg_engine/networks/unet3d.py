"""3D U-Net with a norm of one's choice.

Çiçek et al., "3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation", MICCAI 2016, arXiv:1606.06650:
three poolings, channels doubled before each of them to avoid bottlenecks; here with padded convolutions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .arguments import WIDEST, check_one_of, check_whole

_LEVELS = 4
# Of group normalisation; Myronenko 2018 (arXiv:1810.11654) has 8 on brain tumours, where batches are of one.
_GROUPS = 8

# "layer" is the layer normalisation of Ba et al. 2016 (arXiv:1607.06450): statistics over all units of the layer for
# each sample, hence over channels and voxels together, which is group normalisation with one group (Wu & He 2018,
# arXiv:1803.08494). It keeps the contrast between tissues; ConvNeXt's, over the channels of each voxel alone, does not.
NORMS = {
    "none": lambda channels: nn.Identity(),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "instance": lambda channels: nn.InstanceNorm3d(channels, affine=True),
    "batch": nn.BatchNorm3d,
    "group": lambda channels: nn.GroupNorm(_GROUPS, channels),
}


class UNet3D(nn.Module):
    """The network.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        norm: ``"none"``, ``"layer"``, ``"instance"``, ``"batch"`` (as published) or ``"group"``.
        width: Channels of the first convolution; published is 32.
        deep_supervision: Also return logits at 1/2 and 1/4 of the resolution.

    Raises:
        ValueError: If there can be no such network.
    """

    divisor = smallest = 8

    def __init__(
        self, inputs: int, outputs: int, *, norm: str = "batch", width: int = 32, deep_supervision: bool = False
    ):
        super().__init__()
        check_whole("width", width, 1, WIDEST)
        check_one_of("norm", norm, NORMS)
        if norm == "group" and width % _GROUPS:
            raise ValueError(f"with group normalisation, “width” must be divisible by {_GROUPS}, which {width} is not")
        self.norm_over_space = norm in ("instance", "batch")
        self.deep_supervision = deep_supervision
        wide = [2 * width * 2**level for level in range(_LEVELS)]
        self.encoder = nn.ModuleList(
            _double(inputs if level == 0 else wide[level - 1], wide[level] // 2, wide[level], norm)
            for level in range(_LEVELS)
        )
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(wide[i + 1], wide[i + 1], 2, stride=2, bias=False) for i in (2, 1, 0)
        )
        self.decoder = nn.ModuleList(_double(wide[i] + wide[i + 1], wide[i], wide[i], norm) for i in (2, 1, 0))
        heads = (0, 1, 2) if deep_supervision else (0,)
        self.heads = nn.ModuleList(nn.Conv3d(wide[i], outputs, 1) for i in heads)

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return logits.

        Args:
            x: Shape ``(N, inputs, D, H, W)``, each extent divisible by 8.

        Returns:
            Logits ``(N, outputs, D, H, W)``, or with deep supervision a list of three, from full to 1/4 of the
            resolution.
        """
        skips = []
        for level, stage in enumerate(self.encoder):
            x = stage(F.max_pool3d(x, 2) if level else x)
            skips.append(x)
        x = skips.pop()
        results = []
        for up, stage in zip(self.up, self.decoder, strict=True):
            x = stage(torch.cat([skips.pop(), up(x)], dim=1))
            results.insert(0, x)
        logits = [head(result) for head, result in zip(self.heads, results, strict=False)]
        return logits if self.deep_supervision else logits[0]


def _double(inputs: int, middle: int, outputs: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, middle, 3, padding=1), NORMS[norm](middle), nn.ReLU(inplace=True),
        nn.Conv3d(middle, outputs, 3, padding=1), NORMS[norm](outputs), nn.ReLU(inplace=True),
    )  # fmt: skip
