"""MedNeXt in the registry."""

from __future__ import annotations

from ..family import Family, Variant
from ..mednext import SIZES, MedNeXt

FAMILY = Family(
    name="mednext",
    title="MedNeXt",
    constructor=MedNeXt,
    paper="Roy et al., MedNeXt: Transformer-driven Scaling of ConvNets for Medical Image Segmentation, MICCAI 2023, "
    "arXiv:2303.09975",
    variants=tuple(
        Variant(f"mednext-{size.lower()}", {"size": size, "kernel": 3, "width": 32}, kernels=(3, 5)) for size in SIZES
    ),
    licence="Apache-2.0 (the authors' release)",
    divisor=16,
    smallest=16,
    landmark="enc_block_0.0.conv1.weight",
)
