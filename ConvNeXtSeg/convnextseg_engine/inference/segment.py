"""From a study to a mask on the study's own grid."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import ConvNeXtSegError
from ..images.canonical import canonical_grid, is_left_handed
from ..images.grid import Grid
from ..images.prepare import InputSpec, PreparedInput, prepare
from ..images.separable import parallel_axes
from ..images.study import Study
from ..labels.contract import LabelContract
from ..progress import Reporter
from ..uncertainty.calibrated import calibrated
from ..uncertainty.summary import Uncertainty, uncertainty_of
from .components import without_small_components
from .estimate import RunSize, estimate_preparing
from .free_memory import free_host_bytes
from .loaded import LoadedModel
from .memory import is_out_of_memory
from .nnunet_result import check_arithmetic, restore_nnunet
from .onto_reference import covered_box, restore_labels, restore_map
from .options import SegmentOptions, Settings, settings_for
from .outputs import probabilities_of
from .plan_run import no_memory, run_by_plan
from .stopwatch import Stopwatch
from .study_warnings import missing_channels, study_warnings


@dataclass(frozen=True)
class Segmentation:
    """The result for one study.

    Attributes:
        mask: Labels by the contract's values, uint8, shape ``(D, H, W)``, on ``grid``.
        grid: Grid of the study's reference channel.
        contract: What the values mean.
        probabilities: Regions in the contract's order as the network gives them, float32, ``(R, D, H, W)`` on ``grid``;
            None unless asked for. What is handed to a person is :meth:`calibrated`.
        volumes_ml: Millilitres by label name, then by region name.
        seconds: Time by stage: prepare, network (the networks themselves), windows (cutting out and blending), restore,
            and uncertainty where it is asked for.
        device: Where the network ran.
        backend: What ran it: ``"torch"`` or ``"openvino"``.
        model: Name, version, title and intended use.
        present: Channels that the network was given, in its order.
        missing: Channels that it knows and was not given.
        plan: How memory was used, in words.
        reasons: Why this device, backend and plan, one sentence each.
        warnings: What the user should know about this result, one sentence each.
        expected_bytes: Estimate, made before the networks ran, of the most memory that this process will have had; None
            if the system tells too little.
        uncertainty: How sure the result is; None unless asked for.
        temperatures: The model's, by region; empty if it was not calibrated.
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
    expected_bytes: int | None = None
    uncertainty: Uncertainty | None = None
    temperatures: dict[str, float] = field(default_factory=dict)

    def calibrated(self) -> np.ndarray | None:
        """Return the probabilities with the model's temperatures, ``(R, D, H, W)``; None if they were not kept."""
        if self.probabilities is None:
            return None
        return calibrated(self.probabilities, self.mask, self.contract, self.temperatures, self.grid)


def segment(
    study: Study,
    loaded: LoadedModel,
    reporter: Reporter | None = None,
    *,
    keep_probabilities: bool = False,
    options: SegmentOptions | None = None,
) -> Segmentation:
    """Segment a study.

    Args:
        study: Channels in physical space; the result lies on the grid of its reference channel.
        loaded: The model.
        reporter: Hears of progress and can cancel.
        keep_probabilities: Also return the regions' probabilities.
        options: Wishes for this run; the model's own settings otherwise.

    Raises:
        InputError: If the study has no channel that the model knows, is empty, or an option cannot be used.
        RunCancelled: If the user cancelled.
        ResourceError: If no plan fits into memory.
    """
    options = options or SegmentOptions()
    if keep_probabilities:
        options = replace(options, keep_probabilities=True)
    try:
        return _segment(study, loaded, reporter or Reporter(), options)
    except Exception as error:
        if isinstance(error, ConvNeXtSegError) or not is_out_of_memory(error):
            raise
        raise no_memory(str(error).splitlines()[0] if str(error) else "") from error


def _segment(study: Study, loaded: LoadedModel, reporter: Reporter, options: SegmentOptions) -> Segmentation:
    contract, spec = loaded.contract, loaded.input_spec
    settings = settings_for(options, loaded.model.metadata)
    check_arithmetic(settings.arithmetic, contract, spec.preparation)
    clock = Stopwatch()
    reporter.progress("prepare", 0.0, "bringing the channels onto one grid")
    reference = study.channels[study.reference]
    target = canonical_grid(reference)
    if min(spec.spacing) > 0:  # 0 stands for the image's own, in imported models
        _check_preparing(study, target, spec)
    prepared = prepare(study, spec)
    clock.lap("prepare")
    size = _size(prepared, target, contract, options, settings)
    ran = run_by_plan(prepared, loaded, settings, size, reporter.part(0.1, 0.92))
    clock.seconds["network"] = ran.network_seconds
    clock.lap("windows", ran.network_seconds)
    back = reporter.part(0.92, 1.0)
    keep = options.keep_probabilities or options.uncertainty
    if prepared.placement is not None:
        restored = restore_nnunet(ran.outputs, prepared.placement, target, contract, settings.arithmetic, keep=keep)
    else:
        inside = probabilities_of(ran.outputs, contract)
        restored = restore_labels(inside, prepared.grid, target, contract, back, keep=keep)
    mask, islands = without_small_components(restored.mask, contract, target.voxel_ml, settings.smallest_component_ml)
    probabilities, disagreement = restored.probabilities, _disagreement(ran.disagreement, prepared, target)
    if is_left_handed(reference):  # back to the order in which the user's file has its slices
        mask = np.ascontiguousarray(mask[::-1])
        probabilities = None if probabilities is None else np.ascontiguousarray(probabilities[:, ::-1])
        disagreement = None if disagreement is None else np.ascontiguousarray(disagreement[::-1])
    metadata = loaded.model.metadata
    volumes = metadata.network.get("dim") != 2
    warnings = study_warnings(study, spec, prepared, metadata.skull_stripped, volumes)
    clock.lap("restore")
    uncertainty = None
    if options.uncertainty:
        temperatures = settings.temperatures
        uncertainty = uncertainty_of(probabilities, mask, contract, target, temperatures, disagreement)
        clock.lap("uncertainty")
    back.progress("restore", 1.0, "done")
    if not mask.any():
        warnings.append("The model marked nothing in this study.")
    if islands:
        count = "1 island" if islands == 1 else f"{islands} islands"
        warnings.append(f"Left out: {count} below {settings.smallest_component_ml:g} mL.")
    backend = ran.backends[0]
    return Segmentation(
        mask=mask,
        grid=study.reference_grid,
        contract=contract,
        probabilities=probabilities if options.keep_probabilities else None,
        volumes_ml=volumes_ml(mask, target, contract),
        seconds=clock.seconds,
        device=ran.plan.device,
        backend=backend.name,
        model=loaded.identity,
        present=prepared.present,
        missing=missing_channels(spec, prepared),
        plan=f"{ran.plan}{_views(settings, len(ran.backends))}, {backend.precision}, with {backend.name}",
        reasons=(loaded.device.reason, loaded.backend_reason, *ran.refusals),
        warnings=(*warnings, *ran.changes),
        expected_bytes=ran.expected_bytes,
        uncertainty=uncertainty,
        temperatures=settings.temperatures,
    )


def _disagreement(found: np.ndarray | None, prepared: PreparedInput, target: Grid) -> np.ndarray | None:
    """Bring the disagreement onto the grid of the result, the same way as the probabilities."""
    if found is None:
        return None
    if prepared.placement is None:
        return restore_map(found, prepared.grid, target)
    # Of a higher order, nnU-Net's interpolation can leave the range.
    cropped = np.clip(prepared.placement.cropped(found[None])[0], 0, 0.5)
    return prepared.placement.into_volume(cropped, target)


def _size(
    prepared: PreparedInput, target: Grid, contract: LabelContract, options: SegmentOptions, settings: Settings
) -> RunSize:
    _, covered = covered_box(prepared.grid, target)
    return RunSize(
        prepared=prepared.array.shape[1:],
        target=target.shape,
        covered=covered[::-1],
        channels=len(prepared.array),
        outputs=contract.network_outputs,
        regions=len(contract.regions),
        keep=options.keep_probabilities,
        uncertainty=options.uncertainty,
        disagreement=settings.disagreement,
        turned=parallel_axes(prepared.grid, target) is None,
    )


def _check_preparing(study: Study, target: Grid, spec: InputSpec) -> None:
    """Refuse a study that cannot even be prepared, before minutes are spent on it."""
    low, high = target.outer_box()
    whole = tuple(int(np.ceil(extent / step)) for extent, step in zip(high - low, spec.spacing, strict=True))
    images = [image for name, image in study.channels.items() if name in spec.channels]
    sizes = [image.GetNumberOfPixels() * image.GetSizeOfPixelComponent() for image in images]
    need, free = estimate_preparing(sizes, whole, len(spec.channels)), free_host_bytes()
    if free is not None and need > free:
        raise no_memory(
            f"Preparing it would take about {need / 1e9:.1f} GB, and this computer has {free / 1e9:.1f} GB free."
        )


def _views(settings: Settings, members: int) -> str:
    """Return how often each window is seen, as part of the plan's sentence."""
    views = 2 ** len(settings.mirror_axes)
    parts = [f"{views} mirrored views"] * (views > 1) + [f"{members} networks"] * (members > 1)
    return "".join(f", {part}" for part in parts)


def volumes_ml(mask: np.ndarray, grid: Grid, contract: LabelContract) -> dict[str, float]:
    """Return millilitres by label, then by region; a region that is named like a label of its own is that label.

    Args:
        mask: Labels by the contract's values, shape ``(D, H, W)``.
        grid: Gives the size of a voxel.
        contract: What the values mean.
    """
    volumes = {label.name: float(np.count_nonzero(mask == label.value)) * grid.voxel_ml for label in contract.labels}
    regions = {region.name: sum(volumes[name] for name in region.labels) for region in contract.regions}
    return volumes | {name: value for name, value in regions.items() if name not in volumes}
