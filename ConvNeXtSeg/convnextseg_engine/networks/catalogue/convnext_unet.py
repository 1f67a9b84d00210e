"""The U-Net with a ConvNeXt encoder in the registry."""

from __future__ import annotations

from ..convnext_encoder import SIZES
from ..convnext_unet import ConvNeXtUNet
from ..family import Family, Variant

FAMILY = Family(
    name="convnext-unet",
    title="U-Net with a ConvNeXt encoder",
    constructor=ConvNeXtUNet,
    paper="encoder: Liu et al., A ConvNet for the 2020s, CVPR 2022, arXiv:2201.03545; decoder: Ronneberger et al., "
    "U-Net, MICCAI 2015, arXiv:1505.04597",
    variants=tuple(
        Variant(f"convnext-unet-{name.lower()}", {"size": name, "kernel": 7, "width": size.width})
        for name, size in SIZES.items()
    ),
    licence="of encoder weights: BSD-3-Clause (torchvision), Apache-2.0 or CC-BY-NC-4.0 (timm, by file)",
    divisor=32,
    smallest=32,
    landmark="encoder.stem.0.weight",
)
