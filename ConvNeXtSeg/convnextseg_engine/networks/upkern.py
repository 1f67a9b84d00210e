"""UpKern: start a network with large kernels from a trained one with small kernels.

Roy et al., MedNeXt, MICCAI 2023, arXiv:2303.09975, section 2.3: large kernels learn badly from scratch on small sets; a
network that begins with its small kernels enlarged by interpolation keeps what it knows. Works for every network whose
only difference with another kernel is the extent of depthwise kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import InputError
from .arguments import LARGEST_KERNEL

# The families that take a “kernel” and are built of depthwise ConvNeXt blocks.
GROWING_FAMILIES = ("mednext", "convunext", "convnext-unet")
# Interpolation over the space axes of a depthwise kernel, by their number.
_INTERPOLATION = {2: "bilinear", 3: "trilinear"}


def grow_kernel(state_dict: Mapping[str, torch.Tensor], target_network: nn.Module) -> dict[str, torch.Tensor]:
    """Return a state dict for ``target_network`` with the kernels of ``state_dict`` enlarged to its extents.

    Weights of equal extent, biases and norms are copied. A kernel of another extent is interpolated (bilinear in 2D,
    trilinear in 3D, corners not aligned) without a change of magnitude, as in the authors' release; there the 2D case
    raises an error.

    Args:
        state_dict: Of the trained network; not changed.
        target_network: The network with the larger kernel; its own weights are not read and not changed.

    Raises:
        InputError: If the two differ in more than the extent of kernels, or a kernel would shrink; the message names
            the first tensor that does not fit.
    """
    target = target_network.state_dict()
    for name in (*state_dict, *target):
        if name not in target or name not in state_dict:
            where = "the trained network" if name in state_dict else "the network with the larger kernel"
            raise _does_not_fit(f"{name} exists only in {where}")
    return {name: _grown(name, tensor, target[name]) for name, tensor in state_dict.items()}


def grown_network(network: dict[str, Any], kernel: int) -> dict[str, Any]:
    """Return the description of ``network`` with a larger kernel.

    Args:
        network: As the registry's ``build`` takes it; it states its own kernel.
        kernel: The larger kernel, odd.

    Raises:
        InputError: If the family has no depthwise kernel to grow, or ``kernel`` is even or not larger.
    """
    family, present = network.get("name"), network.get("kernel")
    if family not in GROWING_FAMILIES or not isinstance(present, int):
        raise InputError(
            f"The kernel of a “{family}” network cannot be grown.",
            reason=f"Only depthwise ConvNeXt networks can: {', '.join(GROWING_FAMILIES)}.",
            remedy="Choose a model with such a network; “convnextseg models show” tells it.", code="not-growable",
        )  # fmt: skip
    if kernel <= present or kernel % 2 == 0 or kernel > LARGEST_KERNEL:
        raise InputError(
            f"The kernel cannot be grown from {present} to {kernel}.",
            reason=f"A kernel is odd, so that it has a middle, growing makes it larger, and {LARGEST_KERNEL} is the "
            "largest.",
            remedy=f"Choose {present + 2}, for example."
            if present < LARGEST_KERNEL
            else "Train this model as it is: its kernels are the largest already.",
            code="bad-kernel",
        )
    return network | {"kernel": kernel}


def _grown(name: str, tensor: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if tensor.shape == target.shape:
        return tensor.detach().clone()
    extents, wanted = tensor.shape[2:], target.shape[2:]
    grows = tensor.shape[:2] == target.shape[:2] and all(a <= b for a, b in zip(extents, wanted, strict=False))
    if tensor.dim() != target.dim() or not grows or len(extents) not in _INTERPOLATION:
        raise _does_not_fit(f"{name} has shape {tuple(tensor.shape)}, which does not grow to {tuple(target.shape)}")
    mode = _INTERPOLATION[len(extents)]
    return F.interpolate(tensor.detach(), size=tuple(wanted), mode=mode, align_corners=False)


def _does_not_fit(reason: str) -> InputError:
    return InputError(
        "The kernels of this network cannot be grown.", reason=f"{reason}.",
        remedy="Choose the same network with a larger kernel.", code="not-growable",
    )  # fmt: skip
