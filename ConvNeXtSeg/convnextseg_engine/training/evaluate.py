"""Score a model on cases whose truth is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from ..errors import InputError
from ..images.grid import Grid
from ..images.study import Study
from ..inference.loaded import LoadedModel
from ..inference.segment import Segmentation, segment
from ..labels.contract import LabelContract
from ..progress import Reporter
from .scores import CaseScore, Evaluation, Score
from .surface_distance import hd95_mm
from .validate import dice


class JudgedCase(Protocol):
    """What the evaluation needs of a case; cases of a case set and synthetic ones have it."""

    @property
    def id(self) -> str:
        """Name of the case."""

    @property
    def hash(self) -> str:
        """Content hash of the case."""

    @property
    def voxels(self) -> dict[str, str]:
        """Channel name to SHA-256 of the voxels alone."""

    @property
    def contract(self) -> LabelContract:
        """What the values of the mask mean."""

    def study(self) -> Study:
        """Return the images."""

    def mask(self) -> np.ndarray:
        """Return the truth on the grid of the study's reference channel, shape ``(D, H, W)``."""


def targets(contract: LabelContract) -> dict[str, list[int]]:
    """Return what is scored: name of a region or label to the mask values that it consists of.

    Regions come first, in the contract's order. A label with the content of a region of the same name is that region.
    """
    regions = {region.name: sorted(contract.label(name).value for name in region.labels) for region in contract.regions}
    labels = {}
    for label in contract.labels:
        if regions.get(label.name) != [label.value]:
            labels[label.name if label.name not in regions else f"{label.name} (label)"] = [label.value]
    return regions | labels


def score_masks(prediction: np.ndarray, truth: np.ndarray, grid: Grid, contract: LabelContract) -> dict[str, Score]:
    """Return the :class:`Score` of every region and label.

    Args:
        prediction: Labels by the contract's values, shape ``(D, H, W)``.
        truth: The same for the truth.
        grid: Grid of both; its spacing gives millimetres and millilitres.
        contract: The label contract.

    Raises:
        InputError: If a mask does not fit the grid.
    """
    for what, mask in (("segmentation", prediction), ("reference mask", truth)):
        if mask.shape != grid.shape:
            raise InputError(
                f"The {what} has {mask.shape[::-1]} voxels, the image {grid.size}.",
                reason="Both must lie on the same grid to be compared.",
                remedy="Export the label again from the volume that it belongs to.",
                code="grid-mismatch",
            )
    scores = {}
    for name, values in targets(contract).items():
        marked, real = np.isin(prediction, values), np.isin(truth, values)
        scores[name] = Score(
            dice=dice(marked, real),
            hd95_mm=hd95_mm(marked, real, grid.spacing),
            volume_ml=int(marked.sum()) * grid.voxel_ml,
            reference_ml=int(real.sum()) * grid.voxel_ml,
        )
    return scores


def evaluate(
    loaded: LoadedModel,
    cases: Iterable[JudgedCase],
    reporter: Reporter | None = None,
    *,
    segmenter: Callable[..., Segmentation] = segment,
) -> Evaluation:
    """Segment every case and score it against its truth.

    Args:
        loaded: The model.
        cases: Cases with truth.
        reporter: Hears of progress and can cancel.
        segmenter: Called as ``segmenter(study, loaded, reporter)``; the inference room's ``segment`` normally.

    Raises:
        InputError: If there is no case, a case has other labels than the model, or a mask does not fit its study.
        RunCancelled: If the user cancelled.
    """
    reporter, cases = reporter or Reporter(), list(cases)
    if not cases:
        raise InputError(
            "There is no case to evaluate on.",
            remedy="Add a case with a checked label to this split first.",
            code="no-cases",
        )
    rows = []
    for index, case in enumerate(cases):
        part = reporter.part(index / len(cases), (index + 1) / len(cases))
        part.progress("evaluate", 0.0, f"case {case.id} ({index + 1} of {len(cases)})")
        _check_labels(case, loaded.contract)
        study = case.study()
        result = segmenter(study, loaded, part)
        scores = score_masks(result.mask, case.mask(), study.reference_grid, loaded.contract)
        rows.append(CaseScore(case.id, case.hash, scores, tuple(case.voxels.values())))
    reporter.progress("evaluate", 1.0, f"{len(cases)} cases scored")
    return Evaluation(_model(loaded), *_names(loaded.contract), tuple(rows))


def _check_labels(case: JudgedCase, contract: LabelContract) -> None:
    if not contract.same_labels(case.contract):
        raise InputError(
            f"The case {case.id} has other labels than the model.",
            reason=f"The model knows {_listed(contract)}; the case has {_listed(case.contract)}.",
            remedy="Choose a case set that was made for this model's labels.",
            code="labels-differ",
        )


def _listed(contract: LabelContract) -> str:
    return ", ".join(f"{label.name} = {label.value}" for label in contract.labels)


def _names(contract: LabelContract) -> tuple[tuple[str, ...], tuple[str, ...]]:
    regions = tuple(region.name for region in contract.regions)
    return regions, tuple(name for name in targets(contract) if name not in regions)


def _model(loaded: Any) -> dict[str, str]:
    return {key: str(loaded.identity[key]) for key in ("name", "version")}
