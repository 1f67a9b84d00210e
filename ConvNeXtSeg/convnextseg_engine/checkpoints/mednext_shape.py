"""Recognising a MedNeXt, with its size, kernel and width, from names and shapes of weights.

The name of nnU-Net's trainer class says ``MedNeXt_S_kernel3`` for any width, so it is not asked.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from ..networks.registry import NETWORKS
from .fitting import Shapes, fit_of

# The heads at 1/2, 1/4, 1/8 and 1/16 of the resolution, which only training uses.
_DEEP_HEAD = re.compile(r"out_[1-4]\.")


def mednext_network(found: Shapes) -> dict[str, Any] | None:
    """Return what ``networks.registry.build`` takes for these weights, or None if they are no MedNeXt's."""
    if "enc_block_0.0.conv1.weight" not in found:
        return None
    found = {key: shape for key, shape in found.items() if not _DEEP_HEAD.match(key)}
    dim = len(found["enc_block_0.0.conv1.weight"]) - 2
    family = NETWORKS["mednext"]
    for variant in family.variants:
        for grn in ({}, {"grn": True}):
            fit = fit_of({"name": family.name, "dim": dim} | variant.arguments | grn, found)
            if fit is not None:
                return fit.network
    return None


def without_deep_heads(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a MedNeXt's weights without the heads that only training uses."""
    return {key: tensor for key, tensor in state.items() if not _DEEP_HEAD.match(key)}
