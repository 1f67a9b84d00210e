"""Measure ways to compute a depthwise 3D convolution and its weight gradient, which decide how fast training is.

Ours (``networks/fused/``) beside PyTorch's own call and what else was tried, on one channels-last volume in fp32.
Rounds are interleaved; the milliseconds are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional as F

from convnextseg_engine.networks.fused.depthwise import gather
from convnextseg_engine.networks.fused.rows import as_volume
from convnextseg_engine.networks.fused.weight_gradient import weight_gradient

Way = Callable[[], torch.Tensor]
# Planes at a time of the way by 2D convolutions, so that they stay in the cache.
_PLANES = 8


def forward_ways(x: torch.Tensor, weight: torch.Tensor) -> dict[str, Way]:
    """Return ways to the convolution of ``x`` ``(1, C, D, H, W)`` with ``weight`` ``(C, 1, K, K, K)``."""
    channels, kernel, shape = x.shape[1], weight.shape[2], tuple(x.shape[2:])
    pad = kernel // 2

    def by_planes() -> torch.Tensor:
        planes = x[0].transpose(0, 1)
        out = torch.zeros_like(planes)
        for start in range(0, shape[0], _PLANES):
            for dz in range(kernel):
                low, high = max(start, pad - dz), min(start + _PLANES, shape[0] + pad - dz, shape[0])
                if low < high:
                    part = planes[low + dz - pad : high + dz - pad]
                    out[low:high] += F.conv2d(part, weight[:, :, dz], None, 1, pad, 1, channels)
        return out.transpose(0, 1)[None]

    return {
        "ours: 3D, in slabs": lambda: as_volume(gather(x, weight, (1, 1, 1), shape), shape),
        "PyTorch's 3D": lambda: F.conv3d(x, weight, None, 1, pad, 1, channels),
        "2D by planes, added up": by_planes,
    }


def gradient_ways(x: torch.Tensor, gradient: torch.Tensor, kernel: int) -> dict[str, Way]:
    """Return ways to the weight gradient ``(C, 1, K, K, K)`` from input and output gradient, ``(1, C, D, H, W)``."""
    channels, depth, pad = x.shape[1], x.shape[2], kernel // 2

    def backward(dy: torch.Tensor, image: torch.Tensor, extents: tuple[int, ...]) -> torch.Tensor:
        axes = len(extents)
        return torch.ops.aten.convolution_backward(
            dy, image, image.new_empty((channels, 1, *extents)), None, [1] * axes, [pad] * axes, [1] * axes, False,
            [0] * axes, channels, [False, True, False],
        )[1]  # fmt: skip

    def by_planes() -> torch.Tensor:
        planes, gradients = x[0].transpose(0, 1), gradient[0].transpose(0, 1)
        found = x.new_zeros((channels, 1, kernel, kernel, kernel))
        for start in range(0, depth, _PLANES):
            for dz in range(kernel):
                low, high = max(start, pad - dz), min(start + _PLANES, depth + pad - dz, depth)
                if low < high:
                    part = planes[low + dz - pad : high + dz - pad]
                    found[:, :, dz] += backward(gradients[low:high], part, (kernel, kernel))
        return found

    return {
        "ours: 2D by planes, three columns at a time": lambda: weight_gradient(x, gradient, (kernel,) * 3, (1, 1, 1)),
        "PyTorch's 3D": lambda: backward(gradient, x, (kernel,) * 3),
        "2D by planes, all columns": by_planes,
    }


def measure(ways: dict[str, Way], rounds: int) -> list[dict]:
    """Return a row a way, ``way`` and ``median_ms``, ``min_ms``, ``max_ms``.

    Raises:
        RuntimeError: If two ways disagree: then it makes no sense to compare their times.
    """
    first, *others = [way() for way in ways.values()]
    if not all(torch.allclose(first, other, rtol=1e-3, atol=1e-3 * float(first.abs().max())) for other in others):
        raise RuntimeError("The ways do not compute the same.")
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            taken[name].append(1e3 * (time.perf_counter() - started))
    return [
        {"way": name, "median_ms": statistics.median(t), "min_ms": min(t), "max_ms": max(t)}
        for name, t in taken.items()
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--extent", type=int, default=64, help="of the cubic volume in voxels (default 64)")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print tables and return the exit status."""
    rows = []
    for kernel in (3, 5):
        generator = torch.Generator().manual_seed(0)
        shape = (options.extent**3, options.channels)
        x, gradient = (as_volume(torch.randn(shape, generator=generator), (options.extent,) * 3) for _ in range(2))
        weight = torch.randn((options.channels, 1, *(kernel,) * 3), generator=generator)
        subjects = {"convolution": forward_ways(x, weight), "weight gradient": gradient_ways(x, gradient, kernel)}
        for what, ways in subjects.items():
            rows += [{"what": what, "kernel": kernel} | row for row in measure(ways, options.rounds)]
    print(f"{options.channels} channels, {options.extent}³, {torch.get_num_threads()} threads\n")
    print("| what | kernel | way | median ms | from | to |\n|---|---|---|---|---|---|")
    for row in rows:
        times = " | ".join(f"{row[name]:.0f}" for name in ("median_ms", "min_ms", "max_ms"))
        print(f"| {row['what']} | {row['kernel']} | {row['way']} | {times} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    return 0
