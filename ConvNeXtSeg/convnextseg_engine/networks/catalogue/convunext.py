"""ConvUNeXt in the registry."""

from __future__ import annotations

from ..convunext import ConvUNeXt
from ..family import Family, Variant

FAMILY = Family(
    name="convunext",
    title="ConvUNeXt",
    constructor=ConvUNeXt,
    paper="Han, Jian and Wang, ConvUNeXt: An efficient convolution neural network for medical image segmentation, "
    "Knowledge-Based Systems 253, 2022, doi:10.1016/j.knosys.2022.109512",
    variants=(Variant("convunext", {"width": 32, "kernel": 7}, dims=(2, 3)),),
    licence="none stated by the authors",
    divisor=1,
    smallest=64,
    landmark="down1.0.weight",
)
