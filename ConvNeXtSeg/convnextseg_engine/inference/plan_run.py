"""Running the networks by the first plan that fits into memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConvNeXtSegError, ResourceError
from ..images.prepare import PreparedInput
from ..labels.contract import EXCLUSIVE, LabelContract
from ..networks.memory import memory_of
from ..progress import Reporter
from .backend import Backend
from .estimate import MemoryEstimate, RunSize, estimate
from .free_memory import free_device_bytes, free_host_bytes, give_back_freed_memory, resident_bytes
from .loaded import LoadedModel, load
from .memory import Plan, changes, is_out_of_memory, ladder
from .options import Settings
from .spread import Spread
from .stopwatch import TimedBackend
from .tiling import Tiling
from .windows import WindowOptions, predict

# A logit that leaves no doubt (a probability of 5e-5), yet small enough to keep sums exact.
_NO_DOUBT = 10.0


@dataclass(frozen=True)
class PlannedRun:
    """What ran, and what came out.

    Attributes:
        outputs: The networks' averaged outputs, float32, ``(network outputs, D, H, W)``.
        disagreement: Largest deviation of a region's probability between all answers about a voxel, float32,
            ``(D, H, W)``; None unless the settings ask for it.
        backends: What ran the networks.
        plan: How.
        refusals: Plans that did not fit, one sentence each.
        changes: What the plan changed in the result, one sentence each.
        network_seconds: How long the networks took.
        expected_bytes: Estimate of the most memory that this process will have; None if the system tells too little.
    """

    outputs: np.ndarray
    disagreement: np.ndarray | None
    backends: tuple[Backend, ...]
    plan: Plan
    refusals: tuple[str, ...]
    changes: tuple[str, ...]
    network_seconds: float
    expected_bytes: int | None


def run_by_plan(
    prepared: PreparedInput, loaded: LoadedModel, settings: Settings, size: RunSize, reporter: Reporter
) -> PlannedRun:
    """Run the networks over a prepared study.

    Raises:
        RunCancelled: If the user cancelled.
        ResourceError: If no plan fits into memory.
    """
    if settings.arithmetic == "nnunet-v2" and not loaded.plain:  # half-precision sums keep every last bit's trace
        loaded = load(loaded.model, loaded.device.name, plain=True)
    plans = plans_of(loaded, settings)
    give_back_freed_memory()  # of loading and preparing, so that what is resident is what is in use
    needs = {plan: _need(plan, loaded, size) for plan in plans}
    fitting, refusals = _fitting(needs)
    for plan in fitting:
        need = needs[plan]
        resident = resident_bytes()
        try:
            backends = [TimedBackend(backend) for backend in _backends(loaded, plan)]
            options = _options(plan, settings, loaded)
            spread = _spread(prepared, options, loaded.contract, len(backends)) if settings.disagreement else None
            outputs = predict(prepared.array, backends, options, reporter, spread)
            disagreement = None if spread is None else spread.result().numpy()
        except Exception as error:
            if isinstance(error, ConvNeXtSegError) or not is_out_of_memory(error):
                raise
            refusals.append(f"There was not enough memory for {plan}.")
        else:
            return PlannedRun(
                outputs=outputs,
                disagreement=disagreement,
                backends=tuple(backends),
                plan=plan,
                refusals=tuple(refusals),
                changes=tuple(changes(plan, plans[0])),
                network_seconds=sum(backend.seconds for backend in backends),
                expected_bytes=None if resident is None else resident + need.host,
            )
        # Only here, after the error and the tensors in its traceback are gone, can their memory be given back.
        _free_cached_memory(plan.device)
    raise no_memory(" ".join(refusals))


def _need(plan: Plan, loaded: LoadedModel, size: RunSize) -> MemoryEstimate:
    backend = loaded.backend
    on_its_device = plan.device == backend.device
    name = backend.name if on_its_device else "torch"
    network = memory_of(loaded.model.metadata.network, name)
    # PyTorch gives working memory back after each layer, OpenVINO keeps it for the next window.
    held, keeps = on_its_device and backend.holds_memory, name != "torch"
    return estimate(plan, size, network, held=held, keeps=keeps)


def _fitting(needs: dict[Plan, MemoryEstimate]) -> tuple[list[Plan], list[str]]:
    """Return the plans that should fit, and why the others do not.

    Raises:
        ResourceError: If none fits and that is certain. A guess does not turn anybody away: then the leanest are tried.
    """
    shortages = {plan: _shortage(plan, need) for plan, need in needs.items()}
    refusals = [shortage for shortage in shortages.values() if shortage]
    fitting = [plan for plan, shortage in shortages.items() if not shortage]
    if fitting:
        return fitting, refusals
    leanest = min(need.host + need.device for need in needs.values())
    tried = [plan for plan, need in needs.items() if need.host + need.device == leanest]
    if needs[tried[0]].measured:
        raise no_memory(refusals[-1])
    return tried, []


def _shortage(plan: Plan, need: MemoryEstimate) -> str:
    """Say which memory a plan would lack, or return an empty string."""
    for where, taken, free in (
        ("this computer has", need.host, free_host_bytes()),
        (f"{plan.device} has", need.device, free_device_bytes(plan.device)),
    ):
        if taken and free is not None and taken > free:
            return (
                f"There is not enough memory for {plan}: it would take about {taken / 1e9:.1f} GB, and {where} "
                f"{free / 1e9:.1f} GB free."
            )
    return ""


def plans_of(loaded: LoadedModel, settings: Settings) -> tuple[Plan, ...]:
    """Return the plans for a model, the fastest first."""
    backend = loaded.backend
    batch = 1 if loaded.plain else backend.max_window_batch
    return ladder(
        backend.device, loaded.model.metadata.patch, settings.overlap, max_window_batch=batch,
        smaller_patch=loaded.smaller_patch, precision=backend.precision,
    )  # fmt: skip


def _backends(loaded: LoadedModel, plan: Plan) -> tuple[Backend, ...]:
    backend = loaded.backend
    if plan.device != backend.device:
        return load(loaded.model, plan.device, patch=plan.patch, plain=loaded.plain).backends
    if backend.fixed_patch not in (None, plan.patch):
        return load(loaded.model, plan.device, backend.name, patch=plan.patch).backends
    if plan.precision != backend.precision:
        return tuple(member.in_precision(plan.precision) for member in loaded.backends)
    return loaded.backends


def _options(plan: Plan, settings: Settings, loaded: LoadedModel) -> WindowOptions:
    return WindowOptions(
        patch=plan.patch,
        outputs=loaded.contract.network_outputs,
        overlap=plan.overlap,
        mirror_axes=settings.mirror_axes,
        arithmetic=settings.arithmetic,
        window_batch=plan.window_batch,
        nothing=_nothing(loaded.contract) if _zero_is_background(loaded, settings) else None,
        accumulate_on=plan.accumulate_on,
    )


def _spread(prepared: PreparedInput, options: WindowOptions, contract: LabelContract, members: int) -> Spread:
    return Spread(
        Tiling(prepared.array.shape[1:], options.patch, options.overlap),
        len(contract.regions),
        exclusive=contract.outputs == EXCLUSIVE,
        answers=len(options.views) * members,
        device=options.accumulate_on,
    )


def _zero_is_background(loaded: LoadedModel, settings: Settings) -> bool:
    """Say whether windows of zeros can be left out.

    Our own preparation sets to 0 exactly what lies outside the patient, where nothing can be. After nnU-Net's, 0 can be
    an intensity like any other, and its arithmetic is there to repeat what it computed, which includes empty windows.
    """
    return not loaded.input_spec.preparation and settings.arithmetic == "float32"


def _nothing(contract: LabelContract) -> tuple[float, ...]:
    outputs = [-_NO_DOUBT] * contract.network_outputs
    if contract.outputs == EXCLUSIVE:
        outputs[0] = _NO_DOUBT  # background
    return tuple(outputs)


def _free_cached_memory(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def no_memory(reason: str) -> ResourceError:
    """Return the error for a study that fits by no plan."""
    return ResourceError(
        "There was not enough memory to segment this study.",
        reason=reason,
        remedy="Close other programs and try again, or use a computer with more memory.",
        code="out-of-memory",
    )
