"""The verdict on a candidate, as data that can be stored as JSON and read as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ...errors import InputError
from .comparison import Comparison, Power
from .guard import GuardReport
from .hard_stops import HardStop

FORMAT = 1


class Outcome(StrEnum):
    """What the gate says."""

    ACCEPT = "accept"
    REJECT = "reject"
    TOO_FEW = "too few cases"
    HARD_STOP = "hard stop"


class Action(StrEnum):
    """What the gate recommends; a person decides in any case."""

    PROMOTE = "promote the candidate"
    KEEP = "keep the current version"
    DECIDE = "look at the cases and decide"


@dataclass(frozen=True)
class TableRow:
    """One label, region or the mean of one case, in all versions.

    Attributes:
        case: The case's id.
        target: Name of the label or region, or ``"mean over regions"``, the primary endpoint.
        first: Dice of the first version.
        current: Dice of the current version.
        candidate: Dice of the candidate.
        difference: Candidate minus current.
        both_empty: Whether the truth and all versions are empty here, so that each Dice is 1 by convention.
        reference_ml: Volume of the truth in mL; None for the mean.
        current_ml: Volume that the current version marked; None for the mean.
        candidate_ml: Volume that the candidate marked; None for the mean.
    """

    case: str
    target: str
    first: float
    current: float
    candidate: float
    difference: float
    both_empty: bool
    reference_ml: float | None
    current_ml: float | None
    candidate_ml: float | None


@dataclass(frozen=True)
class Verdict:
    """The gate's verdict.

    Attributes:
        outcome: What the gate says.
        action: What it recommends.
        candidate: Name and version of the candidate's model.
        margin: Loss of mean Dice that would still count as equal.
        comparisons: Against the current version, then against the first one unless it is the current one; empty without
            any judging case.
        stops: Hard stops on the judging cases.
        guard: What guard cases say, or None: forgetting was not measured.
        table: Per case: the mean over regions, then each region and label.
        independence_checked: Whether the judging cases were compared with those used for training and stopping.
    """

    outcome: Outcome
    action: Action
    candidate: dict[str, str]
    margin: float
    comparisons: tuple[Comparison, ...]
    stops: tuple[HardStop, ...]
    guard: GuardReport | None
    table: tuple[TableRow, ...]
    independence_checked: bool

    @property
    def cases(self) -> int:
        """Number of judging cases."""
        return len(self.comparisons[0].differences) if self.comparisons else 0

    def text(self) -> str:
        """Return the verdict for a reader: what came out, why, what to do, and the table of cases."""
        from .verdict_text import verdict_text  # here, because the wording needs this file's classes

        return verdict_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; ``text`` is among them for readers of the file."""
        return {"format": FORMAT, **asdict(self), "guard_measured": self.guard is not None, "text": self.text()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        """Inverse of :meth:`to_dict`; raises :class:`InputError` if it cannot be read."""
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']} is not {FORMAT}")
            return cls(
                outcome=Outcome(data["outcome"]),
                action=Action(data["action"]),
                candidate=dict(data["candidate"]),
                margin=float(data["margin"]),
                comparisons=tuple(_comparison(entry) for entry in data["comparisons"]),
                stops=tuple(HardStop(**entry) for entry in data["stops"]),
                guard=None if data["guard"] is None else GuardReport.from_dict(data["guard"]),
                table=tuple(TableRow(**entry) for entry in data["table"]),
                independence_checked=bool(data["independence_checked"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                "The stored verdict cannot be read.",
                reason=f"{type(error).__name__}: {error}",
                remedy="Judge the candidate again: evaluate it, the current and the first version on the test cases.",
                code="bad-verdict",
            ) from error


def _comparison(data: Mapping[str, Any]) -> Comparison:
    power = data["power"]
    if power is not None:
        noticed = tuple((float(loss), float(share)) for loss, share in power["noticed"])
        power = Power(float(power["deviation"]), noticed, float(power["equal_accepted"]))
    interval = data["interval"]
    return Comparison(
        **{key: value for key, value in data.items() if key not in ("differences", "interval", "power")},
        differences=tuple(data["differences"]),
        interval=None if interval is None else tuple(interval),
        power=power,
    )
