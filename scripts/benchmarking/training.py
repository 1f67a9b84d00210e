"""Measure training steps side by side: ``.venv/bin/python scripts/benchmark.py training [--json F]``.

Ours against MONAI's MedNeXt-S as a user would write it, in its default memory format and in channels-last, in one run
and interleaved, because machines are noisy. A step is forward, Dice + cross-entropy, backward and AdamW.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import MedNeXt as MonaiMedNeXt
from torch import nn

from convnextseg_engine.networks.mednext import MedNeXt

_CHANNELS, _CLASSES = 4, 3


def step_of(network: nn.Module, patch: int, channels_last: bool) -> Callable[[], float]:
    """Return a function that does one training step and returns its seconds."""
    network.train()
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, _CHANNELS, patch, patch, patch, generator=generator)
    target = torch.randint(0, _CLASSES, (1, 1, patch, patch, patch), generator=generator)
    if channels_last:
        network.to(memory_format=torch.channels_last_3d)
        image = image.contiguous(memory_format=torch.channels_last_3d)
    loss_of = DiceCELoss(to_onehot_y=True, softmax=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def step() -> float:
        started = time.perf_counter()
        optimizer.zero_grad()
        loss_of(network(image), target).backward()
        optimizer.step()
        return time.perf_counter() - started

    return step


def training(patch: int, kernel: int, rounds: int) -> dict:
    """Return medians, spreads and ratios (theirs / ours) of ``rounds`` interleaved rounds after one to warm up."""
    torch.manual_seed(0)
    arguments = {"spatial_dims": 3, "in_channels": _CHANNELS, "out_channels": _CLASSES, "kernel_size": kernel}
    competitors = {
        "ours": step_of(MedNeXt(_CHANNELS, _CLASSES, kernel=kernel), patch, True),
        "monai": step_of(MonaiMedNeXt(**arguments), patch, False),
        "monai channels-last": step_of(MonaiMedNeXt(**arguments), patch, True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    for number in range(rounds + 1):
        for name, step in competitors.items():
            taken = step()
            if number:
                seconds[name].append(taken)
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    rows = []
    for name, values in seconds.items():
        ratios = sorted(theirs / ours for theirs, ours in zip(values, seconds["ours"], strict=True))
        rows.append({
            "name": name, "median_s": statistics.median(values), "spread_s": [min(values), max(values)],
            "ratio": statistics.median(ratios), "spread": [ratios[0], ratios[-1]],
        })  # fmt: skip
    machine = {"processor": platform.processor() or platform.machine(), "threads": torch.get_num_threads()}
    return {"patch": patch, "kernel": kernel, "rounds": rounds, "torch": torch.__version__, **machine, "rows": rows}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--patch", type=int, default=64, help="extent of the cubic patch in voxels (default 64)")
    parser.add_argument("--kernel", type=int, default=3, choices=(3, 5))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print a table and return the exit status."""
    result = training(options.patch, options.kernel, options.rounds)
    print(
        f"MedNeXt-S, {options.patch}³, kernel {options.kernel}, batch 1, {result['threads']} threads, {result['torch']}"
    )
    print("| network | median s | from | to | slower than ours by |\n|---|---|---|---|---|")
    for row in result["rows"]:
        low, high = row["spread_s"]
        print(f"| {row['name']} | {row['median_s']:.2f} | {low:.2f} | {high:.2f} | {row['ratio']:.2f} |")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), encoding="utf-8")
    return 0
