"""Measure one network with one backend; ``measure_networks.py`` runs this, one process a measurement.

Prints ``{"seconds": […], "fixed": […], "working": […]}``: the times of the runs on the last window, and for each window
the resident memory that the network takes beyond Python with all libraries, and what a run takes beyond both at its
peak, the logits included (Linux only: other systems let no process forget its peak).
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convnextseg_engine.inference.backend import Backend
from convnextseg_engine.inference.free_memory import give_back_freed_memory
from convnextseg_engine.inference.openvino_backend import OpenVinoBackend
from convnextseg_engine.inference.torch_backend import TorchBackend
from convnextseg_engine.networks.registry import NetworkInfo, build, named
from convnextseg_engine.networks.slicewise import SliceWise, slicing_axis

# Four MR sequences in and four outputs, as ``networks list`` counts parameters.
INPUTS, OUTPUTS = 4, 4
Window = tuple[int, int, int]
_MOST_RUNS = 5


def measure(name: str, backend: str, windows: Sequence[Window], seconds: float) -> dict[str, list[Any]]:
    """Return ``seconds``, of each run on the last window, and in bytes, one a window, ``fixed`` and ``working``.

    Args:
        name: A name of the registry.
        backend: ``"torch"`` or ``"openvino"``.
        windows: Extents D, H, W; the costliest last.
        seconds: Time for the runs: at most five after the first, which counts only if there is no time for another.
    """
    info = named(name)
    narrow = build(info.network | {"width": 8}, INPUTS, OUTPUTS)  # imports what the family needs, MONAI for example
    # The first run starts the threads and brings code into memory that is no network's own.
    window = (1, 64, 64) if info.dim == 2 else (64, 64, 64)
    _runner(narrow, info, backend, window).logits(torch.zeros(1, INPUTS, *window), _never)
    del narrow
    libraries = forget_peak()

    fixed, working = [], []
    for window in windows:
        # OpenVINO converts a network by a run of PyTorch, once; what counts is what every further run needs.
        runner = _runner(build(info.network, INPUTS, OUTPUTS), info, backend, window)
        fixed.append(forget_peak() - libraries)
        image = torch.randn(1, INPUTS, *window, generator=torch.Generator().manual_seed(0))
        before = forget_peak()
        taken = [_timed(runner, image)]
        working.append(status("VmHWM") - before)
        while window == windows[-1] and len(taken) < 1 + _MOST_RUNS and sum(taken) < seconds:
            taken.append(_timed(runner, image))
        del runner, image
    return {"seconds": taken[1:] or taken, "fixed": fixed, "working": working}


def _timed(runner: Backend, image: torch.Tensor) -> float:
    started = time.perf_counter()
    runner.logits(image, _never)
    return time.perf_counter() - started


def _runner(network: nn.Module, info: NetworkInfo, backend: str, window: Window) -> Backend:
    volumes = SliceWise(network, slicing_axis(info.patch)) if info.dim == 2 else network
    if backend == "torch":
        return TorchBackend(volumes, "cpu")
    return OpenVinoBackend(volumes, INPUTS, window, "", None)


def _never() -> None:
    return None


def forget_peak() -> int:
    """Give free memory back, let the peak begin anew (proc(5), clear_refs), and return the resident bytes now."""
    gc.collect()
    give_back_freed_memory()
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(field: str) -> int:
    """Return a size from /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("backend", choices=("torch", "openvino"))
    parser.add_argument("--window", type=int, nargs=3, action="append", required=True, metavar="EXTENT")
    parser.add_argument("--seconds", type=float, default=10)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.name, asked.backend, [tuple(w) for w in asked.window], asked.seconds)))
