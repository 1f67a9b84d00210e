"""Calibrating a model on cases with known truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..images.grid import Grid
from ..labels.contract import EXCLUSIVE, LabelContract
from ..labels.regions import labels_from_regions, regions_of
from .label_probabilities import label_probabilities
from .reliability import calibration_error, near_boundary
from .temperature import fitted_exclusive_temperature, fitted_temperature, with_temperature

if TYPE_CHECKING:
    from ..inference.loaded import LoadedModel
    from ..labels.case import Case
    from ..progress import Reporter


@dataclass(frozen=True)
class Prediction:
    """What a model says about a case with known truth.

    Attributes:
        case: Its name.
        probabilities: Of the regions, ``(R, D, H, W)``.
        truth: Labels by the contract's values, ``(D, H, W)``.
        grid: Of both.
    """

    case: str
    probabilities: np.ndarray
    truth: np.ndarray
    grid: Grid


def predictions(loaded: LoadedModel, cases: list[Case], reporter: Reporter) -> Iterable[Prediction]:
    """Segment cases one after the other and give what the model says, without any temperature."""
    from ..inference.options import SegmentOptions
    from ..inference.segment import segment

    for index, case in enumerate(cases):
        part = reporter.part(index / len(cases), (index + 1) / len(cases))
        part.progress("predict", 0.0, f"case {case.id}")
        result = segment(case.study(), loaded, part, options=SegmentOptions(keep_probabilities=True))
        yield Prediction(case.id, result.probabilities, case.mask(), case.grid)


class NearBoundaries:
    """What counts for calibration, gathered case by case so that only one case's volumes are in memory.

    Args:
        contract: The model's label contract.
    """

    def __init__(self, contract: LabelContract):
        self.contract = contract
        self.cases: list[str] = []
        self._regions: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in contract.regions]
        self._labels: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, prediction: Prediction) -> None:
        """Keep the voxels of a case within 10 mm of the boundaries that the model drew."""
        self.cases.append(prediction.case)
        mask = labels_from_regions(prediction.probabilities, self.contract)
        drawn = regions_of(mask, self.contract)
        truth = regions_of(prediction.truth, self.contract)
        for index, region in enumerate(drawn):
            band = near_boundary(region, prediction.grid)
            if band.any():
                self._regions[index].append((prediction.probabilities[index][band], truth[index][band]))
        band = np.zeros(mask.shape, dtype=bool)
        for label in self.contract.labels:
            band |= near_boundary(mask == label.value, prediction.grid)
        own = np.stack([near_boundary(mask == label.value, prediction.grid)[band] for label in self.contract.labels])
        self._labels.append((prediction.probabilities[:, band], prediction.truth[band], own))

    def temperatures(self) -> dict[str, float]:
        """Return the temperature of each region that the model drew somewhere; one for all if outputs are exclusive."""
        if self.contract.outputs == EXCLUSIVE:
            return self._one_for_all()
        return {
            region.name: fitted_temperature(*zip(*pairs, strict=True))
            for region, pairs in zip(self.contract.regions, self._regions, strict=True)
            if pairs
        }

    def _one_for_all(self) -> dict[str, float]:
        values = [label.value for label in self.contract.labels]
        said = [probabilities for probabilities, _truth, _bands in self._labels if probabilities.size]
        true = [
            sum((truth == value) * index for index, value in enumerate(values, start=1))
            for probabilities, truth, _bands in self._labels
            if probabilities.size
        ]
        one = fitted_exclusive_temperature(said, true) if said else None
        return {} if one is None else {region.name: one for region in self.contract.regions}

    def errors(self, temperatures: dict[str, float]) -> dict[str, float]:
        """Return each label's expected calibration error over all cases, NaN for a label that was drawn nowhere."""
        gathered: dict[str, tuple[list[np.ndarray], list[np.ndarray]]] = {
            label.name: ([], []) for label in self.contract.labels
        }
        for probabilities, truth, bands in self._labels:
            warm = with_temperature(probabilities[:, None, None], self.contract, temperatures)
            labels = label_probabilities(warm, self.contract)[:, 0, 0]
            for index, label in enumerate(self.contract.labels):
                gathered[label.name][0].append(labels[index + 1][bands[index]])
                gathered[label.name][1].append(truth[bands[index]] == label.value)
        return {
            name: calibration_error(np.concatenate(said), np.concatenate(true))
            for name, (said, true) in gathered.items()
            if said
        }


@dataclass(frozen=True)
class Calibration:
    """The outcome of calibrating a model.

    Attributes:
        temperatures: By region.
        cases: Names of the cases.
        before: Each label's expected calibration error without temperatures.
        after: The same with them.
    """

    temperatures: dict[str, float]
    cases: tuple[str, ...]
    before: dict[str, float]
    after: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content."""
        return {
            "temperatures": self.temperatures, "cases": list(self.cases), "before": self.before, "after": self.after,
        }  # fmt: skip


def calibrate(gathered: NearBoundaries) -> Calibration:
    """Fit temperatures to what was gathered."""
    temperatures = gathered.temperatures()
    return Calibration(
        temperatures, tuple(gathered.cases), gathered.errors({}), gathered.errors(temperatures)
    )  # fmt: skip
