"""Scores of a model on cases, as data that can be stored as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import InputError

FORMAT = 1


@dataclass(frozen=True)
class Score:
    """How well one label or region of one case was found.

    Attributes:
        dice: Dice coefficient, 0..1. Both empty: 1. One of them empty: 0.
        hd95_mm: 95th percentile of the Hausdorff distance in mm; None if a mask is empty, where it has no value.
        volume_ml: Volume that the model marked.
        reference_ml: Volume of the truth.
    """

    dice: float
    hd95_mm: float | None
    volume_ml: float
    reference_ml: float

    @property
    def both_empty(self) -> bool:
        """Whether there was nothing to find and nothing was marked: the Dice of 1 is a convention then."""
        return self.volume_ml == 0 and self.reference_ml == 0

    @property
    def present(self) -> bool:
        """Whether the truth holds any of it."""
        return self.reference_ml > 0

    @property
    def found(self) -> bool:
        """Whether the truth holds it and the model marked at least a part of it."""
        return self.present and self.dice > 0


@dataclass(frozen=True)
class CaseScore:
    """Scores of one case.

    Attributes:
        case: The case's id.
        hash: Content hash of the case, by which the gate recognises it.
        scores: Region or label name to :class:`Score`.
        voxels: SHA-256 of each image's voxels alone, which stay the same when a mask is corrected again.
    """

    case: str
    hash: str
    scores: Mapping[str, Score]
    voxels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluation:
    """Scores of one model on several cases.

    Attributes:
        model: At least ``name`` and ``version``.
        regions: Names of the regions, which the primary endpoint averages.
        labels: Names of the labels; one that equals a region is listed among the regions only.
        rows: One entry a case.
    """

    model: Mapping[str, str]
    regions: tuple[str, ...]
    labels: tuple[str, ...]
    rows: tuple[CaseScore, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """All names that have a score: regions first, then labels."""
        return self.regions + self.labels

    def mean_dice(self, row: CaseScore) -> float:
        """Return the primary endpoint of one case: the mean Dice over the regions."""
        return float(np.mean([row.scores[name].dice for name in self.regions]))

    def summary(self) -> dict[str, float]:
        """Return the mean Dice over the cases by region and label."""
        return {name: float(np.mean([row.scores[name].dice for row in self.rows])) for name in self.targets}

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; lists are arrays of objects with ``name``."""
        return {
            "format": FORMAT,
            "model": dict(self.model),
            "regions": list(self.regions),
            "labels": list(self.labels),
            "rows": [
                {
                    "name": row.case,
                    "hash": row.hash,
                    "voxels_sha256": list(row.voxels),
                    "mean_dice": self.mean_dice(row),
                    "scores": [
                        {"name": name, **asdict(score), "both_empty": score.both_empty}
                        for name, score in row.scores.items()
                    ],
                }
                for row in self.rows
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evaluation:
        """Inverse of :meth:`to_dict`; raises :class:`InputError` if it cannot be read."""
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']} is not {FORMAT}")
            rows = tuple(
                CaseScore(
                    row["name"], row["hash"], {s["name"]: _score(s) for s in row["scores"]}, tuple(row["voxels_sha256"])
                )
                for row in data["rows"]
            )
            return cls(dict(data["model"]), tuple(data["regions"]), tuple(data["labels"]), rows)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "The stored scores cannot be read.",
                reason=f"{type(error).__name__}: {error}",
                remedy="Evaluate the model again.",
                code="bad-evaluation",
            ) from error


def _score(data: Mapping[str, Any]) -> Score:
    distance = data["hd95_mm"]
    return Score(
        float(data["dice"]), None if distance is None else float(distance),
        float(data["volume_ml"]), float(data["reference_ml"]),
    )  # fmt: skip
