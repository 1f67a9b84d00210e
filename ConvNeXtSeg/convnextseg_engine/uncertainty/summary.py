"""What a segmentation's doubts come to, for a report and for the panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..images.grid import Grid
from ..labels.contract import LabelContract
from .calibrated import calibrated
from .label_probabilities import label_probabilities
from .measures import entropy, expected_error
from .slices import DoubtfulSlice, doubtful_slices


@dataclass(frozen=True)
class LabelDoubt:
    """How sure one label is.

    Attributes:
        name: The label.
        volume_ml: Of the mask.
        expected_ml: The sum of the label's probabilities: what a perfectly calibrated model would measure on average.
        confidence: Mean probability of the label where the mask has it, 0..1; None if the mask has it nowhere.
        entropy: Mean entropy there, 0..1; None likewise.
        disagreement: Mean disagreement there, 0..0.5; None likewise, or if it was not measured.
    """

    name: str
    volume_ml: float
    expected_ml: float
    confidence: float | None
    entropy: float | None
    disagreement: float | None


@dataclass(frozen=True)
class Uncertainty:
    """How sure a segmentation is.

    Attributes:
        entropy: Of the label probabilities at each voxel, 0..1, float32, ``(D, H, W)`` on the mask's grid.
        disagreement: Largest deviation of a region's probability between overlapping windows, mirrored views and
            members of an ensemble, 0..0.5, float32, ``(D, H, W)``; None if it was not measured.
        labels: One entry a label, in the contract's order.
        slices: Slices to look at first.
        calibrated: Whether the model brings temperatures for its probabilities.
        expected_error_ml: Millilitres of the whole volume that are probably labelled wrongly.
    """

    entropy: np.ndarray
    disagreement: np.ndarray | None
    labels: tuple[LabelDoubt, ...]
    slices: tuple[DoubtfulSlice, ...]
    calibrated: bool
    expected_error_ml: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready part of a report; maps are left out."""
        return {
            "calibrated": self.calibrated,
            "labels": [
                {
                    "name": label.name,
                    "volume_ml": round(label.volume_ml, 4),
                    "expected_ml": round(label.expected_ml, 4),
                    "confidence": _rounded(label.confidence),
                    "entropy": _rounded(label.entropy),
                    "disagreement": _rounded(label.disagreement),
                }
                for label in self.labels
            ],
            "slices": [
                {"index": one.index, "expected_error_ml": round(one.expected_error_ml, 4)} for one in self.slices
            ],
            "expected_error_ml": round(self.expected_error_ml, 4),
        }


def uncertainty_of(
    probabilities: np.ndarray,
    mask: np.ndarray,
    contract: LabelContract,
    grid: Grid,
    temperatures: dict[str, float],
    disagreement: np.ndarray | None = None,
) -> Uncertainty:
    """Measure how sure a segmentation is.

    Args:
        probabilities: Of the regions, shape ``(R, D, H, W)``, as the network gave them.
        mask: Labels by the contract's values, shape ``(D, H, W)``.
        contract: The label contract.
        grid: Of both.
        temperatures: By region, see :mod:`~convnextseg_engine.uncertainty.calibrated`; empty if not calibrated.
        disagreement: See :class:`Uncertainty`.
    """
    voxel_ml = grid.voxel_ml
    warm = calibrated(probabilities, mask, contract, temperatures, grid)
    doubts, errors = np.zeros(mask.shape, dtype=np.float32), np.zeros(mask.shape, dtype=np.float32)
    # By label: voxels, and sums of its probability everywhere, and of probability, entropy and disagreement within it.
    sums = np.zeros((len(contract.labels), 5))
    # A slice at a time stays in the processor's cache, which is three times as fast as whole volumes.
    for k, drawn in enumerate(mask):
        # Where every probability is 0, as outside the network's input, there is no doubt.
        seen = probabilities[:, k].any(axis=0)
        if not seen.any():
            continue
        regions, drawn = probabilities[:, k][:, seen], drawn[seen]
        raw = label_probabilities(regions, contract)
        labels = label_probabilities(warm[:, k][:, seen], contract) if temperatures else raw
        doubt = entropy(labels)
        doubts[k][seen] = doubt
        # Without temperatures, which was measured to find more of the error: docs/uncertainty.md.
        errors[k][seen] = expected_error(raw)
        within = [doubt] if disagreement is None else [doubt, disagreement[k][seen]]
        for index, label in enumerate(contract.labels):
            here = drawn == label.value
            sums[index, 0] += np.count_nonzero(here)
            sums[index, 1] += labels[index + 1].sum(dtype=np.float64)
            summed = [values[here].sum(dtype=np.float64) for values in (labels[index + 1], *within)]
            sums[index, 2 : 2 + len(summed)] += summed
    listed = tuple(
        LabelDoubt(
            label.name,
            float(voxels) * voxel_ml,
            float(expected) * voxel_ml,
            float(probability / voxels) if voxels else None,
            float(doubt / voxels) if voxels else None,
            float(differing / voxels) if voxels and disagreement is not None else None,
        )
        for label, (voxels, expected, probability, doubt, differing) in zip(contract.labels, sums, strict=True)
    )
    expected_error_ml = float(errors.sum(dtype=np.float64)) * voxel_ml
    slices = doubtful_slices(errors, voxel_ml)
    return Uncertainty(doubts, disagreement, listed, slices, bool(temperatures), expected_error_ml)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
