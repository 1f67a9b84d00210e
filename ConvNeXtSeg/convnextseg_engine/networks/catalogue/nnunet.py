"""nnU-Net's U-Nets in the registry; they have no names of their own, because a plan gives each its shape."""

from __future__ import annotations

from ..dynamic_architectures import dynamic_unet
from ..family import Family

FAMILY = Family(
    name="nnunet-unet",
    title="nnU-Net's U-Nets",
    constructor=dynamic_unet,
    paper="Isensee et al., nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation, "
    "Nature Methods 18, 2021, doi:10.1038/s41592-020-01008-z",
    variants=(),
)
