"""Attention U-Net in the registry."""

from __future__ import annotations

from torch import nn

from ..family import Family, Variant


def _constructor(inputs: int, outputs: int, *, width: int = 32, dim: int = 3) -> nn.Module:
    from ..monai_baselines import attention_unet  # MONAI takes seconds to import, and few models need it

    return attention_unet(inputs, outputs, width=width, dim=dim)


FAMILY = Family(
    name="attention-unet",
    title="Attention U-Net",
    constructor=_constructor,
    paper="Oktay et al., Attention U-Net: Learning Where to Look for the Pancreas, 2018, arXiv:1804.03999",
    variants=(Variant("attention-unet", {"width": 32}),),
    divisor=16,
    smallest=16,
    landmark="model.0.conv.0.conv.weight",
)
