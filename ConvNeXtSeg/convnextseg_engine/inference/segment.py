"""From a study to a mask on the study's own grid."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import ConvNeXtSegError, ResourceError
from ..images.canonical import canonical_grid, is_left_handed
from ..images.grid import Grid
from ..images.prepare import PreparedInput, prepare, restore
from ..images.study import Study
from ..labels.contract import LabelContract
from ..labels.regions import labels_from_regions
from ..progress import Reporter
from .backend import Backend
from .loaded import LoadedModel, load
from .memory import Plan, is_out_of_memory, plans_for
from .windows import WindowOptions, predict


@dataclass(frozen=True)
class Segmentation:
    """The result for one study.

    Attributes:
        mask: Labels by the contract's values, uint8, shape ``(D, H, W)``, on ``grid``.
        grid: Grid of the study's reference channel.
        contract: What the values mean.
        probabilities: Regions in the contract's order, float32, ``(R, D, H, W)`` on ``grid``; None unless asked for.
        volumes_ml: Millilitres by label name, then by region name.
        seconds: Time by stage: prepare, predict, restore.
        device: Where the network ran.
        backend: What ran it: ``"torch"`` or ``"openvino"``.
        model: Name, version, title and intended use.
        present: Channels that the network was given, in its order.
        missing: Channels that it knows and was not given.
        plan: How memory was used, in words.
        reasons: Why this device, backend and plan, one sentence each.
        warnings: What the user should know about this result, one sentence each.
    """

    mask: np.ndarray
    grid: Grid
    contract: LabelContract
    probabilities: np.ndarray | None
    volumes_ml: dict[str, float]
    seconds: dict[str, float]
    device: str
    backend: str
    model: dict[str, str]
    present: tuple[str, ...]
    missing: tuple[str, ...]
    plan: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]


def segment(
    study: Study, loaded: LoadedModel, reporter: Reporter | None = None, *, keep_probabilities: bool = False
) -> Segmentation:
    """Segment a study.

    Args:
        study: Channels in physical space; the result lies on the grid of its reference channel.
        loaded: The model.
        reporter: Hears of progress and can cancel.
        keep_probabilities: Also return the regions' probabilities.

    Raises:
        InputError: If the study has no channel that the model knows, or is empty.
        RunCancelled: If the user cancelled.
        ResourceError: If no plan fits into memory.
    """
    try:
        return _segment(study, loaded, reporter or Reporter(), keep_probabilities)
    except Exception as error:
        if isinstance(error, ConvNeXtSegError) or not is_out_of_memory(error):
            raise
        raise _no_memory(str(error).splitlines()[0] if str(error) else "") from error


def _segment(study: Study, loaded: LoadedModel, reporter: Reporter, keep_probabilities: bool) -> Segmentation:
    contract = loaded.contract
    clock = _Clock()
    reporter.progress("prepare", 0.0, "bringing the channels onto one grid")
    prepared = prepare(study, loaded.input_spec)
    clock.lap("prepare")
    inside, backend, plan, refusals = _predict(prepared, loaded, reporter.part(0.1, 0.92))
    clock.lap("predict")
    reference = study.channels[study.reference]
    target = canonical_grid(reference)
    back = reporter.part(0.92, 1.0)
    probabilities = np.zeros((len(contract.regions), *target.shape), dtype=np.float32)
    for index, region in enumerate(contract.regions):
        back.progress("restore", index / len(contract.regions), f"{region.name} onto the grid of {study.reference}")
        probabilities[index] = restore(inside[index], prepared.grid, target)
    mask = labels_from_regions(probabilities, contract)
    if is_left_handed(reference):  # back to the order in which the user's file has its slices
        mask, probabilities = np.ascontiguousarray(mask[::-1]), np.ascontiguousarray(probabilities[:, ::-1])
    clock.lap("restore")
    back.progress("restore", 1.0, "done")
    missing = tuple(name for name in loaded.input_spec.channels if name not in prepared.present)
    return Segmentation(
        mask=mask,
        grid=study.reference_grid,
        contract=contract,
        probabilities=probabilities if keep_probabilities else None,
        volumes_ml=volumes_ml(mask, target, contract),
        seconds=clock.seconds,
        device=plan.device,
        backend=backend.name,
        model=loaded.identity,
        present=prepared.present,
        missing=missing,
        plan=f"{plan}, {backend.precision}, with {backend.name}",
        reasons=(loaded.device.reason, loaded.backend_reason, *refusals),
        warnings=tuple(_warnings(study, prepared, missing, mask, loaded)),
    )


def volumes_ml(mask: np.ndarray, grid: Grid, contract: LabelContract) -> dict[str, float]:
    """Return millilitres by label, then by region; a region that is named like a label of its own is that label.

    Args:
        mask: Labels by the contract's values, shape ``(D, H, W)``.
        grid: Gives the size of a voxel.
        contract: What the values mean.
    """
    counts = np.bincount(mask.ravel(), minlength=256)
    volumes = {label.name: float(counts[label.value]) * grid.voxel_ml for label in contract.labels}
    regions = {region.name: sum(volumes[name] for name in region.labels) for region in contract.regions}
    return volumes | {name: value for name, value in regions.items() if name not in volumes}


def _predict(
    prepared: PreparedInput, loaded: LoadedModel, reporter: Reporter
) -> tuple[np.ndarray, Backend, Plan, list[str]]:
    """Run the first plan that fits; also return what ran and which plans were refused."""
    refusals: list[str] = []
    patch = loaded.model.metadata.patch
    for plan in plans_for(loaded.backend.device, loaded.backend.max_window_batch):
        backend = loaded.backend if plan.device == loaded.backend.device else load(loaded.model, plan.device).backend
        try:
            options = WindowOptions(patch, len(loaded.contract.regions), window_batch=plan.window_batch)
            inside = torch.from_numpy(predict(prepared.array, [backend], options, reporter)).sigmoid().numpy()
            return inside, backend, plan, refusals
        except Exception as error:
            if isinstance(error, ConvNeXtSegError) or not is_out_of_memory(error):
                raise
            refusals.append(f"There was not enough memory for {plan}.")
        # Only here, after the error and the tensors in its traceback are gone, can their memory be given back.
        _free_cached_memory(plan.device)
    raise _no_memory(" ".join(refusals))


def _free_cached_memory(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def _no_memory(reason: str) -> ResourceError:
    return ResourceError(
        "There was not enough memory to segment this study.",
        reason=reason,
        remedy="Close other programs and try again, or use a computer with more memory.",
        code="out-of-memory",
    )


def _warnings(
    study: Study, prepared: PreparedInput, missing: tuple[str, ...], mask: np.ndarray, loaded: LoadedModel
) -> list[str]:
    spec = loaded.input_spec
    found = []
    if missing:
        found.append(f"Not given: {', '.join(missing)}. The result is usually less accurate without.")
    for name in prepared.present:
        if not prepared.array[spec.channels.index(name)].any():
            found.append(f"{name} is the same everywhere where {study.reference} lies, so it counted as not given.")
    for first, second in itertools.combinations(prepared.present, 2):
        one, other = (prepared.array[spec.channels.index(name)] for name in (first, second))
        if one.any() and np.array_equal(one, other):
            found.append(f"{first} and {second} are the same image; check that each is assigned to its own channel.")
    unknown = [name for name in study.channels if name not in spec.channels]
    if unknown:
        found.append(f"The model does not use {', '.join(unknown)}.")
    if loaded.model.metadata.skull_stripped:
        found.append("The model is made for images whose skull has been removed; on others its result is not reliable.")
    if not mask.any():
        found.append("The model marked nothing in this study.")
    return found


class _Clock:
    """Time since the last lap, by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
