"""SegResNet in the registry."""

from __future__ import annotations

from torch import nn

from ..family import Family, Variant


def _constructor(inputs: int, outputs: int, *, width: int = 32, dim: int = 3) -> nn.Module:
    from ..monai_baselines import segresnet  # MONAI takes seconds to import, and few models need it

    return segresnet(inputs, outputs, width=width, dim=dim)


FAMILY = Family(
    name="segresnet",
    title="SegResNet",
    constructor=_constructor,
    paper="Myronenko, 3D MRI brain tumor segmentation using autoencoder regularization, 2018, arXiv:1810.11654",
    variants=(Variant("segresnet", {"width": 32}),),
    licence="Apache-2.0 (MONAI's bundle brats_mri_segmentation, of narrower shape)",
    divisor=8,
    smallest=8,
    landmark="convInit.conv.weight",
)
