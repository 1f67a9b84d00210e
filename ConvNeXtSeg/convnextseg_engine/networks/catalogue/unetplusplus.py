"""U-Net++ in the registry."""

from __future__ import annotations

from torch import nn

from ..family import Family, Variant


def _constructor(
    inputs: int, outputs: int, *, width: int = 32, dim: int = 3, deep_supervision: bool = False
) -> nn.Module:
    from ..monai_baselines import UNetPlusPlus  # MONAI takes seconds to import, and few models need it

    return UNetPlusPlus(inputs, outputs, width=width, dim=dim, deep_supervision=deep_supervision)


FAMILY = Family(
    name="unet++",
    title="U-Net++",
    constructor=_constructor,
    paper="Zhou et al., UNet++: A Nested U-Net Architecture for Medical Image Segmentation, 2018, arXiv:1807.10165",
    variants=(Variant("unet++", {"width": 32}),),
    divisor=16,
    smallest=16,
    landmark="conv_0_0.conv_0.conv.weight",
)
