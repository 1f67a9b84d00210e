"""3D U-Net in the registry, one name a norm."""

from __future__ import annotations

from ..family import Family, Variant
from ..unet3d import NORMS, UNet3D

FAMILY = Family(
    name="unet3d",
    title="3D U-Net",
    constructor=UNet3D,
    paper="Çiçek et al., 3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation, MICCAI 2016, "
    "arXiv:1606.06650",
    variants=tuple(Variant(f"unet3d-{norm}", {"norm": norm, "width": 32}, dims=(3,)) for norm in NORMS),
    divisor=8,
    smallest=8,
    landmark="up.0.weight",
)
