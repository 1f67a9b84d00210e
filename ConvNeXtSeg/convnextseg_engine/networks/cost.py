"""What a network costs on paper: parameters and multiplications, counted without computing anything."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .mednext import set_fused
from .registry import build
from .slicewise import SliceWise, slicing_axis


def parameters(network: dict[str, Any], inputs: int, outputs: int) -> int:
    """Return the number of trainable numbers, MedNeXt's unused ``dummy_tensor`` of one included.

    Args:
        network: What ``build`` takes.
        inputs: Image channels.
        outputs: Regions.

    Raises:
        InputError: If there is no such network.
    """
    return sum(parameter.numel() for parameter in _on_paper(network, inputs, outputs).parameters())


def multiply_adds(network: dict[str, Any], inputs: int, outputs: int, patch: tuple[int, int, int]) -> int:
    """Return the multiply–add operations of convolutions and matrix products for one window.

    Norms, activations and interpolation are not counted, as is usual.

    Args:
        network: What ``build`` takes.
        inputs: Image channels.
        outputs: Regions.
        patch: Extents of the window, D, H, W; one slice for a 2D network.

    Raises:
        InputError: If there is no such network.
    """
    module = _on_paper(network, inputs, outputs).eval()
    set_fused(module, False)  # the counter knows torch's operations only
    if network.get("dim") == 2:
        module = SliceWise(module, slicing_axis(patch))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, inputs, *patch, device="meta"))
    return counter.get_total_flops() // 2


def _on_paper(network: dict[str, Any], inputs: int, outputs: int) -> nn.Module:
    with torch.device("meta"):
        return build(network, inputs, outputs)
