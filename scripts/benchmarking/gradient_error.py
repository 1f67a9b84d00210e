"""How far from exact the gradients of a training step are: float32 paths against float64 by plain autograd."""

from __future__ import annotations

import json
import statistics
import sys

import torch
from monai.losses import DiceCELoss

from benchmarking.training_variants import CHANNELS, CLASSES
from convnextseg_engine.networks.mednext import MedNeXt, set_fused


def _gradients(network: MedNeXt, image: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
    network.zero_grad()
    DiceCELoss(to_onehot_y=True, softmax=True)(network(image), target).backward()
    # A bias before a norm has gradient exactly zero, which only noise can miss.
    return [
        parameter.grad.double()
        for name, parameter in network.named_parameters()
        if parameter.grad is not None and not name.endswith("conv1.bias")
    ]


def gradient_errors(patch: int, kernel: int) -> list[dict]:
    """Return, for stock in both memory formats and for ours, the relative L2 error of each tensor's gradient.

    Weights are as after training: norms of any scale and sign, depthwise kernels of uneven size.
    """
    torch.manual_seed(0)
    network = MedNeXt(CHANNELS, CLASSES, kernel=kernel)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("norm.weight"):
                parameter.uniform_(-1.5, 1.5)
            elif name.endswith(("norm.bias", "conv1.bias")):
                parameter.uniform_(-1, 1)
            elif name.endswith("conv1.weight"):
                parameter.mul_(4 * torch.rand(len(parameter)).view(-1, 1, 1, 1, 1))
    image = torch.randn(1, CHANNELS, patch, patch, patch)
    target = torch.randint(0, CLASSES, (1, 1, patch, patch, patch))
    set_fused(network, False)
    exact = _gradients(network.double(), image.double(), target)
    network.float()
    rows = []
    for name, fused, layout in (
        ("stock", False, torch.contiguous_format),
        ("stock channels-last", False, torch.channels_last_3d),
        ("ours", True, torch.channels_last_3d),
    ):
        set_fused(network, fused)
        found = _gradients(network.to(memory_format=layout), image.contiguous(memory_format=layout), target)
        errors = [float((f - e).norm() / e.norm()) for f, e in zip(found, exact, strict=True)]
        rows.append({
            "variant": name, "patch": patch, "kernel": kernel, "median": statistics.median(errors),
            "largest": max(errors),
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    print(json.dumps(gradient_errors(int(sys.argv[1]), int(sys.argv[2]))))
