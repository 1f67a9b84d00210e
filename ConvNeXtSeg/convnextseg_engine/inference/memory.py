"""The memory plan: what is tried, from the fastest to the leanest, when a device refuses.

Only the number of windows computed at a time and the device change; the mask does not depend on the plan.
"""

from __future__ import annotations

from dataclasses import dataclass

# A window of the usual 96³ voxels fills a CPU's cores by itself, so a CPU gains nothing from a batch; a graphics
# processor gains until its cores are full.
_GPU_BATCHES = (4, 2, 1)

_REFUSALS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory",
             "failed to allocate", "bad_alloc", "bad allocation", "alloc_failed")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One way to run: ``window_batch`` windows at a time on ``device``."""

    device: str
    window_batch: int

    def __str__(self) -> str:
        windows = "one window" if self.window_batch == 1 else f"{self.window_batch} windows"
        return f"{windows} at a time on {'the CPU' if self.device == 'cpu' else self.device}"


def plans_for(device: str, max_window_batch: int | None = None) -> tuple[Plan, ...]:
    """Return the plans to try in turn, the fastest first and the CPU with one window last.

    Args:
        device: Where the network is.
        max_window_batch: The most windows that the backend takes at a time; None if it does not matter.
    """
    if device == "cpu":
        return (Plan("cpu", 1),)
    batches = [n for n in _GPU_BATCHES if max_window_batch is None or n <= max_window_batch]
    return (*(Plan(device, n) for n in batches), Plan("cpu", 1))


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether ``error`` is a refusal of memory, from Python, torch, OpenVINO or SimpleITK alike."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _REFUSALS)
