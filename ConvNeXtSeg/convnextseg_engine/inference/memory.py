"""The memory plan: what is tried, from the fastest to the leanest.

An estimate picks the first plan that should fit; if a device refuses all the same, the next one is tried. Down to the
rung where sums move to the host, the mask is the same; what the later rungs change is said in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..networks.extents import Extents

# A window of the usual 96³ voxels fills a CPU's cores by itself, so a CPU gains nothing from a batch; a graphics
# processor gains until its cores are full.
_GPU_BATCHES = (4, 2, 1)
_SMALL_OVERLAP = 0.25  # MONAI's default; nnU-Net's and ours is 0.5

_REFUSALS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory",
             "failed to allocate", "bad_alloc", "bad allocation", "alloc_failed")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """One way to run.

    Attributes:
        device: Where the network runs.
        window_batch: Windows at a time.
        patch: Extent of a window, (D, H, W).
        overlap: Share of a window by which neighbours overlap.
        precision: ``"fp32"``, or ``"fp16"`` for half precision where it is safe (autocast).
        accumulate_on: Device that holds the sums of all windows.
    """

    device: str
    window_batch: int
    patch: Extents
    overlap: float
    precision: str = "fp32"
    accumulate_on: str = "cpu"

    def __str__(self) -> str:
        windows = "one window" if self.window_batch == 1 else f"{self.window_batch} windows"
        return f"{windows} of {_shown(self.patch)} at a time on {_named(self.device)}, overlapping by {self.overlap:g}"


def ladder(
    device: str,
    patch: Extents,
    overlap: float,
    *,
    max_window_batch: int | None = None,
    smaller_patch: Extents | None = None,
    precision: str = "fp32",
) -> tuple[Plan, ...]:
    """Return the plans to try in turn, the fastest first: batch, precision, sums on the host, overlap, window, CPU.

    Args:
        device: Where the network is.
        patch: Extent of a window, (D, H, W), as the model has it.
        overlap: As the user or the model has it.
        max_window_batch: The most windows that the backend takes at a time; None if it does not matter.
        smaller_patch: A smaller window that the network takes too; None if there is none.
        precision: What the network computes in on ``device``.
    """
    on_cpu = [Plan("cpu", 1, patch, overlap, precision if device == "cpu" else "fp32")]
    on_cpu += _coarser(on_cpu[-1], smaller_patch)
    if device == "cpu":
        return tuple(on_cpu)
    batches = [n for n in _GPU_BATCHES if max_window_batch is None or n <= max_window_batch]
    plans = [Plan(device, n, patch, overlap, precision, device) for n in batches]
    if device.startswith("cuda") and precision == "fp32":  # autocast to half precision is unproven on Apple's
        plans.append(replace(plans[-1], precision="fp16"))
    plans.append(replace(plans[-1], accumulate_on="cpu"))
    plans += _coarser(plans[-1], smaller_patch)
    return (*plans, *on_cpu)


def _coarser(plan: Plan, smaller_patch: Extents | None) -> list[Plan]:
    """Return the rungs below ``plan`` that change the result a little: fewer windows, then smaller ones."""
    plans = []
    if plan.overlap > _SMALL_OVERLAP:
        plan = replace(plan, overlap=_SMALL_OVERLAP)
        plans.append(plan)
    if smaller_patch is not None:
        plans.append(replace(plan, patch=smaller_patch))
    return plans


def changes(plan: Plan, first: Plan) -> list[str]:
    """Return what a plan changes in the result against the first one, one sentence each."""
    found = []
    if plan.precision != first.precision:
        found.append("The network was computed in half precision to save memory; borders can move by a voxel.")
    if plan.overlap != first.overlap:
        found.append(
            f"Windows overlap by {plan.overlap:g} instead of {first.overlap:g} to save memory; borders are less smooth."
        )
    if plan.patch != first.patch:
        found.append(
            f"The network saw windows of {_shown(plan.patch)} instead of {_shown(first.patch)} voxels to save memory, "
            "so with less of the surroundings; the result may be less accurate."
        )
    return found


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether ``error`` is a refusal of memory, from Python, torch, OpenVINO or SimpleITK alike."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _REFUSALS)


def _shown(extents: Extents) -> str:
    return " × ".join(str(n) for n in extents)


def _named(device: str) -> str:
    return "the CPU" if device == "cpu" else device
