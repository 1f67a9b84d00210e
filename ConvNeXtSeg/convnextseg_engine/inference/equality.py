"""Whether a faster way of computing gives the same mask, judged label by label.

A tumour of 20 mL is 0.2 % of a brain image, so the share of equal voxels says nothing; what counts is each label.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..labels.contract import LabelContract
from ..training.surface_distance import hd95_mm

# A faster path must differ from fp32 by less than two experts do, and by less than a reader can see.
_DICE, _SMALL_DICE = 0.998, 0.99
_SMALL_ML = 1.0
_VOLUME = 0.005
_HD95_VOXELS = 1.0
CASES = 10


@dataclass(frozen=True)
class LabelEquality:
    """How one label differs between two ways of computing.

    Attributes:
        case: Where.
        label: Name of the label.
        volume_ml: Its volume as fp32 gives it.
        dice: Between both; 1 if both are empty.
        volume_change: Difference of the volumes as a share of fp32's.
        hd95_voxels: 95th percentile of the distance between the surfaces; None if exactly one of both is empty.
        equal: Whether it is the same for every purpose.
    """

    case: str
    label: str
    volume_ml: float
    dice: float
    volume_change: float
    hd95_voxels: float | None
    equal: bool

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)


def compare_labels(
    case: str, exact: np.ndarray, faster: np.ndarray, contract: LabelContract, voxel_ml: float
) -> list[LabelEquality]:
    """Return how each label differs.

    Args:
        case: What to call the case.
        exact: Mask as fp32 gives it, labels by the contract's values, ``(D, H, W)``.
        faster: Mask as the faster path gives it.
        contract: What the values mean.
        voxel_ml: Volume of a voxel in millilitres.
    """
    return [
        _compare(case, label.name, exact == label.value, faster == label.value, voxel_ml) for label in contract.labels
    ]


def _compare(case: str, name: str, exact: np.ndarray, faster: np.ndarray, voxel_ml: float) -> LabelEquality:
    one, other = int(np.count_nonzero(exact)), int(np.count_nonzero(faster))
    if one == other == 0:
        return LabelEquality(case, name, 0.0, 1.0, 0.0, 0.0, True)
    dice = 2 * int(np.count_nonzero(exact & faster)) / (one + other)
    change = abs(other - one) / max(one, 1)
    distance = hd95_mm(exact, faster, (1.0, 1.0, 1.0))  # with voxels of 1 mm, millimetres are voxels
    volume = one * voxel_ml
    wanted = _SMALL_DICE if volume < _SMALL_ML else _DICE
    # One voxel more or less is never a difference, though of a lesion of 100 voxels it is one per cent.
    same_volume = change <= _VOLUME or abs(other - one) <= 1
    equal = dice >= wanted and same_volume and distance is not None and distance <= _HD95_VOXELS
    return LabelEquality(case, name, volume, dice, change, distance, equal)


@dataclass(frozen=True)
class LabelVerdict:
    """What many cases say about one label.

    Attributes:
        label: Its name.
        cases: How many cases were compared.
        smallest_ml: The smallest volume that it had in any of them (not counting 0); None if it never appeared.
        worst_dice: The lowest Dice.
        worst_volume_change: The largest change of volume, as a share.
        worst_hd95_voxels: The largest distance; None if the label vanished or appeared somewhere.
        accepted: Whether it was equal in every case, and there were enough.
    """

    label: str
    cases: int
    smallest_ml: float | None
    worst_dice: float
    worst_volume_change: float
    worst_hd95_voxels: float | None
    accepted: bool

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return asdict(self)


def verdicts(rows: Iterable[LabelEquality], at_least: int = CASES) -> list[LabelVerdict]:
    """Return one verdict a label, from at least ``at_least`` cases."""
    by_label: dict[str, list[LabelEquality]] = {}
    for row in rows:
        by_label.setdefault(row.label, []).append(row)
    found = []
    for label, those in by_label.items():
        volumes = [row.volume_ml for row in those if row.volume_ml > 0]
        distances = [row.hd95_voxels for row in those]
        found.append(
            LabelVerdict(
                label=label,
                cases=len(those),
                smallest_ml=min(volumes, default=None),
                worst_dice=min(row.dice for row in those),
                worst_volume_change=max(row.volume_change for row in those),
                worst_hd95_voxels=None if None in distances else max(distances),
                accepted=len(those) >= at_least and bool(volumes) and all(row.equal for row in those),
            )
        )
    return found
