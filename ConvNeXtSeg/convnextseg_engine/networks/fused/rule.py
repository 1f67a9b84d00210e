"""Where the fused path applies; everywhere else, plain autograd computes the same."""

from __future__ import annotations

import torch
from torch import nn
from torch.autograd import forward_ad

_FLOATS = (torch.float32, torch.float64)


def applies(block: nn.Module, x: torch.Tensor, skip: torch.Tensor | None = None) -> bool:
    """Say whether the fused path computes ``block`` of ``x``, with ``skip`` added.

    It does for volumes and 2D images, any odd kernel and any batch, with group norm of one group per channel and
    without GRN, on the CPU in float32 or float64. Gradients of gradients are taken by plain operations (see
    ``autograd``). Hooks on the layers inside of the block are not called; hooks on the block itself are.
    """
    return (
        block.fused
        and isinstance(block.norm, nn.GroupNorm)
        and block.norm.num_groups == block.norm.num_channels
        and not block.grn
        and all(map(is_plain, (x, *block.parameters(), *(() if skip is None else (skip,)))))
        and all(t.dtype == x.dtype for t in (*block.parameters(), *(() if skip is None else (skip,))))
        and x.dim() == block.conv1.weight.dim()
        and x.numel() > 0
        and x.shape[2:].numel() > 1  # stock refuses to normalise a single voxel, in words
        and permitted()
    )


def permitted() -> bool:
    """Say whether custom autograd functions are welcome here.

    They are not under autocast (half precision has its own kernels), while a graph is traced, compiled or exported, nor
    under functorch's transforms: these must see plain operations.
    """
    return not (
        torch.is_autocast_enabled("cpu")
        or torch.jit.is_tracing()
        or torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
    )


def is_plain(tensor: torch.Tensor) -> bool:
    """Say whether ``tensor`` is an ordinary one in memory: no subclass, and no tangent of forward differentiation."""
    return (
        type(tensor) in (torch.Tensor, nn.Parameter)
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
        and tensor.dtype in _FLOATS
        and forward_ad.unpack_dual(tensor).tangent is None
    )
