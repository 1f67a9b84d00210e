"""What a training step is measured for: a network, and how a user would run it."""

from __future__ import annotations

from dataclasses import dataclass

CHANNELS, CLASSES = 4, 3


@dataclass(frozen=True)
class Variant:
    """One competitor.

    Attributes:
        name: In tables and JSON.
        network: ``"ours"`` or ``"monai"``, both MedNeXt-S.
        channels_last: Weights and images in channels-last memory.
        autocast: Forward and loss in bfloat16 where PyTorch's autocast says so.
        compiled: Through ``torch.compile``.
    """

    name: str
    network: str
    channels_last: bool = False
    autocast: bool = False
    compiled: bool = False


# Ours as convnextseg trains on a CPU: the fused blocks, AdamW's fused step; MONAI's as its documentation shows it.
ON_CPU = (
    Variant("ours", "ours", channels_last=True),
    Variant("monai", "monai"),
    Variant("monai channels-last", "monai", channels_last=True),
)
ON_GPU = (
    Variant("ours", "ours"),
    Variant("ours channels-last", "ours", channels_last=True),
    Variant("ours autocast", "ours", autocast=True),
    Variant("ours autocast channels-last", "ours", channels_last=True, autocast=True),
    Variant("ours compiled", "ours", compiled=True),
    Variant("ours autocast compiled", "ours", autocast=True, compiled=True),
    Variant("monai", "monai"),
    Variant("monai autocast", "monai", autocast=True),
)
