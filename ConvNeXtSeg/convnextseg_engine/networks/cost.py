"""What a network costs on paper: parameters, multiplications and activations, without computing anything."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from .extents import per_axis, smallest_patch
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
    module = _for_volumes(network, inputs, outputs, patch)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.empty(1, inputs, *patch, device="meta"))
    return counter.get_total_flops() // 2


def activation_bytes(network: dict[str, Any], inputs: int, outputs: int, patch: tuple[int, int, int]) -> int:
    """Return the most bytes of tensors that inference holds at a time, for one window in fp32, its input included.

    What libraries take within an operation, and copies in other layouts, are not seen.

    Args:
        network: What ``build`` takes.
        inputs: Image channels.
        outputs: Regions.
        patch: Extents of the window, D, H, W; one slice for a 2D network.

    Raises:
        InputError: If there is no such network.
    """
    module = _for_volumes(network, inputs, outputs, patch)
    image = torch.empty(1, inputs, *patch, device="meta")
    with torch.inference_mode(), _LiveTensors() as live:
        # As torch_backend.py runs it: in channels-last and back.
        module(image.contiguous(memory_format=torch.channels_last_3d)).contiguous()
    return live.peak


def usual_window(network: dict[str, Any]) -> tuple[int, int, int]:
    """Return a window of about 64³ voxels, or a slice of 64² or more, that the network takes.

    Raises:
        InputError: If there is no such network.
    """
    patch = (1, 64, 64) if network.get("dim") == 2 else (64, 64, 64)
    module = _for_volumes(network, 1, 1, patch)
    steps, least = per_axis(getattr(module, "divisor", 1)), smallest_patch(module)
    return tuple(max(low, -(-extent // step) * step) for extent, step, low in zip(patch, steps, least, strict=True))


class _LiveTensors(TorchDispatchMode):
    """Adds up the storages that are alive after each operation."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._storages: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        found = operation(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._storages[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self._storages = {key: known for key, known in self._storages.items() if not known[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._storages.values()))
        return found


def _for_volumes(network: dict[str, Any], inputs: int, outputs: int, patch: tuple[int, int, int]) -> nn.Module:
    module = _on_paper(network, inputs, outputs).eval().requires_grad_(False)
    set_fused(module, False)  # what counts operations knows torch's only
    return SliceWise(module, slicing_axis(patch)) if network.get("dim") == 2 else module


def _on_paper(network: dict[str, Any], inputs: int, outputs: int) -> nn.Module:
    with torch.device("meta"):
        return build(network, inputs, outputs)
