"""Forgetting: does the candidate still do what the current version could, on cases unlike those it was tuned on?

Guard cases are a pack of cases from elsewhere, cases the user names, or, where there are none, synthetic brains, which
are called a *proxy* wherever they are reported. Without guard cases forgetting is not measured, and that is what is
said; it never counts as passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import InputError
from ...images.study import Study
from ...labels.case import content_hash, voxel_hash
from ...labels.contract import LabelContract
from ...synthetic.brain import SyntheticCase, brain_tumour_contract, synthetic_case
from ..scores import Evaluation
from .hard_stops import HardStop, hard_stops
from .pairing import paired

KINDS = ("guard pack", "named cases", "proxy")

# Far from the seeds that training draws from (0 upwards), so that no network has seen these brains.
_FIRST_PROXY_SEED = 900_000_000


class ProxyCase:
    """A synthetic case in the form that the evaluation takes.

    Args:
        seed: Seed of the synthetic brain.
        options: Passed on to :func:`~convnextseg_engine.synthetic.brain.synthetic_case`.
    """

    def __init__(self, seed: int, **options: Any):
        self.id = f"synthetic-{seed}"
        self._seed, self._options = seed, options

    @cached_property
    def _made(self) -> SyntheticCase:
        return synthetic_case(self._seed, **self._options)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of images and truth, as a case of a case set has it."""
        return content_hash(self._made.study, self._made.mask)

    @cached_property
    def voxels(self) -> dict[str, str]:
        """Channel name to SHA-256 of the voxels alone."""
        return {name: voxel_hash(image) for name, image in self._made.study.channels.items()}

    @property
    def contract(self) -> LabelContract:
        """The contract of synthetic brains."""
        return brain_tumour_contract()

    def study(self) -> Study:
        """Return the images."""
        return self._made.study

    def mask(self) -> np.ndarray:
        """Return the truth, uint8, shape ``(D, H, W)``."""
        return self._made.mask


def proxy_cases(count: int = 6, **options: Any) -> list[ProxyCase]:
    """Return ``count`` synthetic guard cases, always the same ones; ``options`` as for ``synthetic_case``."""
    return [ProxyCase(_FIRST_PROXY_SEED + index, **options) for index in range(count)]


@dataclass(frozen=True)
class GuardChange:
    """How one guard case changed.

    Attributes:
        case: The case's id.
        against: ``"current"`` or ``"first"``.
        before: Mean Dice over the regions of that version.
        after: The candidate's.
    """

    case: str
    against: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """Candidate minus before; negative is a loss."""
        return self.after - self.before


@dataclass(frozen=True)
class GuardReport:
    """What the guard cases say.

    Attributes:
        kind: ``"guard pack"``, ``"named cases"`` or ``"proxy"``.
        changes: One entry a case and version compared with.
        stops: Hard stops on the guard cases.
    """

    kind: str
    changes: tuple[GuardChange, ...]
    stops: tuple[HardStop, ...]

    @property
    def proxy(self) -> bool:
        """Whether the cases are synthetic."""
        return self.kind == "proxy"

    def mean_change(self, against: str) -> float | None:
        """Return the mean change of mean Dice against that version, or None if it was not compared."""
        changes = [change.difference for change in self.changes if change.against == against]
        return float(np.mean(changes)) if changes else None

    def forgot(self, margin: float) -> bool:
        """Say whether forgetting was seen: a hard stop, or a mean loss above ``margin`` against either version."""
        means = (self.mean_change("current"), self.mean_change("first"))
        return bool(self.stops) or any(mean is not None and mean < -margin for mean in means)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GuardReport:
        """Inverse of :meth:`to_dict`."""
        changes = tuple(GuardChange(**change) for change in data["changes"])
        return cls(data["kind"], changes, tuple(HardStop(**stop) for stop in data["stops"]))


def guard_report(kind: str, candidate: Evaluation, current: Evaluation, first: Evaluation) -> GuardReport:
    """Compare evaluations on the guard cases.

    Args:
        kind: Where the cases come from, one of :data:`KINDS`.
        candidate: The candidate's scores.
        current: The current version's, on the same cases.
        first: The first version's, on the same cases.

    Raises:
        InputError: If the kind is unknown or the evaluations are not of the same cases.
    """
    if kind not in KINDS:
        raise InputError(
            f"Guard cases of the kind “{kind}” are not known.",
            reason=f"The kinds are {', '.join(KINDS)}.",
            remedy="Say which of these they are.",
            code="unknown-guard",
        )
    changes, stops = [], []
    for against, new, old in paired(candidate, current, first):
        stops += hard_stops(new, old, against)
        changes += [
            GuardChange(a.case, against, old.mean_dice(b), new.mean_dice(a))
            for a, b in zip(new.rows, old.rows, strict=True)
        ]
    return GuardReport(kind, tuple(changes), tuple(stops))
