"""ResUNet in the registry."""

from __future__ import annotations

from ..family import Family, Variant
from ..resunet import ResUNet

FAMILY = Family(
    name="resunet",
    title="ResUNet",
    constructor=ResUNet,
    paper="Zhang, Liu and Wang, Road Extraction by Deep Residual U-Net, IEEE Geoscience and Remote Sensing Letters 15, "
    "2018, arXiv:1711.10684",
    variants=(Variant("resunet", {"width": 64}),),
    divisor=8,
    smallest=8,
    landmark="decoder.0.branch.0.weight",
)
