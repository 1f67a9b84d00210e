"""Changes so bad in a single case that no average may hide them."""

from __future__ import annotations

from dataclasses import dataclass

from ..scores import Evaluation, Score

# From the design's decision on the gate: a label vanished, any case −0.10 Dice, volume doubled.
LOST_DICE = 0.10
GROWN_FACTOR = 2.0
# A label smaller than this is a few hundred voxels whose Dice moves by 0.10 when its outline moves by a fraction of a
# voxel; it can vanish, which stops, but its Dice and growth alone do not. (The same 1 mL separates small lesions
# where a faster inference path is accepted.)
SMALL_ML = 1.0
_ROUNDING = 1e-9


@dataclass(frozen=True)
class HardStop:
    """One reason not to take the candidate without looking.

    Attributes:
        rule: ``"vanished"``, ``"lost dice"`` or ``"volume doubled"``.
        against: ``"current"`` or ``"first"``.
        case: The case's id.
        target: Label or region, or ``"mean over regions"``.
        message: One plain sentence.
    """

    rule: str
    against: str
    case: str
    target: str
    message: str


def hard_stops(candidate: Evaluation, other: Evaluation, against: str) -> list[HardStop]:
    """Return the hard stops of ``candidate`` against ``other``; both list the same cases in the same order."""
    stops = []
    for new, old in zip(candidate.rows, other.rows, strict=True):
        lost = other.mean_dice(old) - candidate.mean_dice(new)
        if lost >= LOST_DICE - _ROUNDING:
            message = f"Case {new.case}: the mean Dice fell by {lost:.2f} against the {against} version."
            stops.append(HardStop("lost dice", against, new.case, "mean over regions", message))
        for name in candidate.targets:
            found = _stop(new.scores[name], old.scores[name], against)
            if found:
                stops.append(HardStop(found[0], against, new.case, name, f"Case {new.case}, {name}: {found[1]}"))
    return stops


def _stop(new: Score, old: Score, against: str) -> tuple[str, str] | None:
    """Return the rule that one label of one case breaks, and what happened in words."""
    if old.found and not new.found:
        return "vanished", f"the {against} version found it, the candidate does not."
    if new.reference_ml >= SMALL_ML and old.dice - new.dice >= LOST_DICE - _ROUNDING:
        return "lost dice", f"Dice fell from {old.dice:.2f} to {new.dice:.2f} against the {against} version."
    # Twice the volume is an improvement where the other version found half of it; it stops only if the volume is now
    # further from the truth.
    further = abs(new.volume_ml - new.reference_ml) > abs(old.volume_ml - old.reference_ml)
    if further and new.volume_ml >= GROWN_FACTOR * old.volume_ml and new.volume_ml - old.volume_ml >= SMALL_ML:
        return "volume doubled", (
            f"the volume grew from {old.volume_ml:.1f} to {new.volume_ml:.1f} mL against the {against} version, "
            f"the truth is {new.reference_ml:.1f} mL."
        )
    return None
