"""How much memory a run will take, before it runs: arithmetic on sizes, and the networks' measured figures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..networks.extents import Extents
from ..networks.memory import MemoryCoefficients
from .memory import Plan
from .onto_reference import slices_at_a_time
from .tiling import Tiling

_FLOAT = 4  # bytes


@dataclass(frozen=True)
class MemoryEstimate:
    """What a run takes beyond what the process has when the study is prepared, in bytes, at the worst moment.

    Attributes:
        host: In the computer's memory.
        device: In the graphics processor's memory; 0 on the CPU.
        measured: False where the network's figure is a cautious guess.
    """

    host: int
    device: int
    measured: bool


@dataclass(frozen=True)
class RunSize:
    """What the memory of a run depends on, beside the plan.

    Attributes:
        prepared: Extents of the network's input, (D, H, W).
        target: Extents of the user's volume, (D, H, W).
        covered: Extents of the part of ``target`` that the network's input covers, (D, H, W).
        channels: Of the network's input.
        outputs: Of the network.
        regions: Of the contract.
        keep: Whether probabilities are kept on the user's volume.
        uncertainty: Whether it is measured how sure the result is; probabilities are kept then as well.
        disagreement: Whether it is measured by how much windows disagree.
        turned: Whether the axes of both grids are turned against each other; probabilities become images then.
    """

    prepared: Extents
    target: Extents
    covered: Extents
    channels: int
    outputs: int
    regions: int
    keep: bool = False
    uncertainty: bool = False
    disagreement: bool = False
    turned: bool = False


def estimate(
    plan: Plan, size: RunSize, network: MemoryCoefficients, *, held: bool = False, keeps: bool = True
) -> MemoryEstimate:
    """Return what a plan takes.

    Args:
        plan: How the networks run; members of an ensemble run one after the other.
        size: The study's and the model's sizes.
        network: The measured figures; the weights are in memory already.
        held: Whether the network still holds its working memory from the run before.
        keeps: Whether a network on the CPU keeps its working memory while the result is brought back.
    """
    tiling = Tiling(size.prepared, plan.patch, plan.overlap)
    window = math.prod(plan.patch) * plan.window_batch * _FLOAT
    working = 0 if held else network.working(plan.patch, plan.window_batch)
    # Disagreement takes two more sums a region.
    sums = (size.outputs + 2 * size.regions * size.disagreement) * math.prod(tiling.padded) * _FLOAT
    padded = size.channels * math.prod(tiling.padded) * _FLOAT if tiling.padded != size.prepared else 0
    windows = window * (size.channels + size.outputs)
    on_device = plan.device != "cpu"
    while_running = padded + windows + (0 if on_device else working) + (sums if plan.accumulate_on == "cpu" else 0)
    device = (working + windows if on_device else 0) + (sums if plan.accumulate_on != "cpu" else 0)
    afterwards = (working if keeps and not on_device else 0) + sums + _restoring(size)
    return MemoryEstimate(max(while_running, afterwards), device, network.measured)


def _restoring(size: RunSize) -> int:
    inside = (1 + size.turned) * size.regions * math.prod(size.prepared) * _FLOAT
    slab = slices_at_a_time(size.regions, size.covered[::-1]) * size.regions * math.prod(size.covered[1:]) * _FLOAT
    mask = math.prod(size.target)
    # Uncertainty: the probabilities, the entropy, the probability of an error and the disagreement.
    maps = 0 if not size.uncertainty else 2 + size.disagreement
    kept = (size.regions * (size.keep or size.uncertainty) + maps) * math.prod(size.target) * _FLOAT
    return inside + min(slab, size.regions * math.prod(size.covered) * _FLOAT) + mask + kept


def estimate_preparing(channel_bytes: list[int], whole: Extents, channels: int) -> int:
    """Return the most that our own preparation takes, in bytes: every voxel may be foreground.

    Args:
        channel_bytes: Size of each present channel as it was read.
        whole: Extents of the reference volume on the network's grid, (D, H, W).
        channels: Of the network's input.
    """
    # Each channel in canonical order and as float32 on the network's grid; where any of them shows something, as one
    # truth value a channel and their stack; the input itself; and normalising, which sorts copies in double precision,
    # of up to four channels at a time.
    present = len(channel_bytes)
    voxels = math.prod(whole)
    return sum(channel_bytes) + voxels * (present * (_FLOAT + 2) + channels * _FLOAT + min(present, 4) * 20)
