"""One competitor in a process of its own: does a training step for each line that it reads, and prints what it cost.

Started by ``training.py``; a process of its own, so that its peak memory is its own and no competitor leaves another
one a warm allocator.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import MedNeXt as MonaiMedNeXt
from torch import nn

from benchmarking.training_variants import CHANNELS, CLASSES, Variant
from convnextseg_engine.networks.mednext import MedNeXt


def network_of(variant: Variant, kernel: int) -> nn.Module:
    """Return the variant's network on the CPU, with seeded weights."""
    torch.manual_seed(0)
    if variant.network == "ours":
        return MedNeXt(CHANNELS, CLASSES, kernel=kernel)
    return MonaiMedNeXt(spatial_dims=3, in_channels=CHANNELS, out_channels=CLASSES, kernel_size=kernel)


def step_of(variant: Variant, patch: int, kernel: int, device: str) -> Callable[[], None]:
    """Return a function that does one step: forward, Dice + cross-entropy, backward, AdamW."""
    network = network_of(variant, kernel).to(device).train()
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, CHANNELS, patch, patch, patch, generator=generator).to(device)
    target = torch.randint(0, CLASSES, (1, 1, patch, patch, patch), generator=generator).to(device)
    if variant.channels_last:
        network.to(memory_format=torch.channels_last_3d)
        image = image.contiguous(memory_format=torch.channels_last_3d)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    # None leaves PyTorch's default to who does not know better; our training asks for the fused step.
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True if variant.network == "ours" else None)
    run = torch.compile(network) if variant.compiled else network

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=variant.autocast):
            loss = loss_of(run(image), target)
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def peak_bytes(device: str) -> int | None:
    """Return the most memory that this process, or its graphics processor, held so far; None where nobody says."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Serve steps until standard input ends."""
    options = json.loads(sys.argv[1])
    device = options["device"]
    step = step_of(Variant(**options["variant"]), options["patch"], options["kernel"], device)
    print(json.dumps({"before_bytes": peak_bytes(device), "threads": torch.get_num_threads()}), flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        step()
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "peak_bytes": peak_bytes(device)}), flush=True)


if __name__ == "__main__":
    main()
