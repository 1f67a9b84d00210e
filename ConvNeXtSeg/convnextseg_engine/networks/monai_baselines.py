"""The baselines that MONAI has: its own modules in their published or default shape, with their own state-dict keys."""

from __future__ import annotations

import torch
from monai.networks.nets.attentionunet import AttentionUnet
from monai.networks.nets.basic_unetplusplus import BasicUNetPlusPlus
from monai.networks.nets.segresnet import SegResNet
from torch import nn

from .arguments import WIDEST, check_one_of, check_whole

# Of SegResNet's group normalisation.
_GROUPS = 8


def attention_unet(inputs: int, outputs: int, *, width: int = 32, dim: int = 3) -> nn.Module:
    """Return Attention U-Net: attention gates on the skips, five levels, 1 to 16 times ``width``.

    Oktay et al. 2018, arXiv:1804.03999.

    Raises:
        ValueError: If there can be no such network.
    """
    _check(width, dim)
    network = AttentionUnet(dim, inputs, outputs, [width * 2**level for level in range(5)], (2,) * 4)
    network.divisor = network.smallest = 16
    network.norm_over_space = True
    return network


def segresnet(inputs: int, outputs: int, *, width: int = 32, dim: int = 3) -> nn.Module:
    """Return SegResNet in the shape that won BraTS 2018, without the autoencoder branch.

    Myronenko 2018, arXiv:1810.11654: 32 channels, 1, 2, 2 and 4 residual blocks down, group norm of 8.

    Raises:
        ValueError: If there can be no such network.
    """
    _check(width, dim)
    if width % _GROUPS:
        raise ValueError(f"“width” must be divisible by {_GROUPS}, which {width} is not")
    network = SegResNet(dim, width, inputs, outputs, blocks_down=(1, 2, 2, 4), blocks_up=(1, 1, 1))
    network.divisor = network.smallest = 8
    return network


class UNetPlusPlus(BasicUNetPlusPlus):
    """U-Net++: nested skips, five levels.

    Zhou et al. 2018, arXiv:1807.10165. MONAI's module, but it returns a tensor where no deep supervision is asked for,
    and then has no heads that nothing trains.

    Args:
        inputs: Image channels.
        outputs: Regions or classes (logits; no activation).
        width: Channels of the first two levels; the others have 2, 4 and 8 times as many.
        dim: 2 or 3.
        deep_supervision: Also return logits of the three shallower nested networks, at full resolution, the deepest
            first.

    Raises:
        ValueError: If there can be no such network.
    """

    divisor = smallest = 16
    norm_over_space = True

    def __init__(self, inputs: int, outputs: int, *, width: int = 32, dim: int = 3, deep_supervision: bool = False):
        _check(width, dim)
        features = (width, width, 2 * width, 4 * width, 8 * width, width)
        super().__init__(dim, inputs, outputs, features, deep_supervision=deep_supervision)
        if not deep_supervision:
            self.final_conv_0_1 = self.final_conv_0_2 = self.final_conv_0_3 = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Map ``(N, inputs, …)`` to logits ``(N, outputs, …)``, or with deep supervision to a list of four."""
        logits = super().forward(x)
        return logits[::-1] if self.deep_supervision else logits[-1]


def _check(width: int, dim: int) -> None:
    check_whole("width", width, 1, WIDEST)
    check_one_of("dim", dim, (2, 3))
