"""U-Net in the registry."""

from __future__ import annotations

from ..family import Family, Variant
from ..unet import UNet

FAMILY = Family(
    name="unet",
    title="U-Net",
    constructor=UNet,
    paper="Ronneberger, Fischer and Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI "
    "2015, arXiv:1505.04597",
    variants=(Variant("unet", {"width": 32}),),
    divisor=16,
    smallest=16,
    landmark="decoder.0.0.weight",
)
