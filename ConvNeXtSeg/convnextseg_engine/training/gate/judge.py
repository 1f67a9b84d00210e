"""The gate: may a fine-tuned candidate replace the current version?

The primary endpoint is a case's mean Dice over the regions. The candidate is compared with the current *and* the first
version, so that small losses cannot add up unseen over many rounds. What can be said depends on the number of cases
that were used neither for training nor for stopping; docs/gate.md explains it for readers of a verdict.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ...errors import InputError
from ..scores import Evaluation
from .comparison import FEWEST_FOR_TEST, Comparison, compare
from .guard import GuardReport
from .hard_stops import hard_stops
from .pairing import paired
from .verdict import Action, Outcome, TableRow, Verdict


def judge(
    candidate: Evaluation,
    current: Evaluation,
    first: Evaluation,
    guard: GuardReport | None = None,
    margin: float = 0.02,
    *,
    used_hashes: Collection[str] | None = None,
) -> Verdict:
    """Judge a candidate on cases that it never saw.

    * A hard stop (see :mod:`.hard_stops`) on a judging case or on a real guard case: ``hard stop``.
    * Fewer than 5 cases: no test, ``too few cases``.
    * 5–9 cases: exact sign-flip test of (difference + margin); 10 or more: paired t lower bound against ``-margin``.
      ``accept`` if the test shows for both comparisons that the loss is smaller than the margin, otherwise ``reject``.

    An accepted candidate that forgot on synthetic proxies is left to a person: the proxy is no patient, but it warns.

    Args:
        candidate: The candidate's scores on the judging cases.
        current: The current version's, on the same cases.
        first: The first version's, on the same cases; the current one again where it is the first.
        guard: What guard cases say, or None if forgetting was not measured.
        margin: Loss of mean Dice that still counts as equal.
        used_hashes: ``hash`` of all cases used for training and for stopping, and best also their ``voxels`` hashes,
            which recognise an image whose mask was corrected since. Without them the verdict says that independence
            was not checked.

    Raises:
        InputError: If a judging case was used for training or stopping, the evaluations are not of the same cases and
            labels, or the margin is not above 0.
    """
    if not 0 < margin < 1:
        raise InputError(
            f"A margin of {margin} cannot be used.",
            reason="It is the loss of Dice that still counts as equal.",
            remedy="Give a number between 0 and 1, for example 0.02.",
            code="bad-margin",
        )
    _refuse_used(candidate, used_hashes)
    pairs = paired(candidate, current, first)
    comparisons, stops = [], []
    for against, new, old in pairs:
        differences = np.array([new.mean_dice(a) - old.mean_dice(b) for a, b in zip(new.rows, old.rows, strict=True)])
        comparisons.append(compare(against, old.model.get("version", ""), differences, margin))
        stops += hard_stops(new, old, against)
    outcome = _outcome(comparisons, bool(stops) or bool(guard and not guard.proxy and guard.stops))
    return Verdict(
        outcome=outcome,
        action=_action(outcome, guard, margin),
        candidate=dict(candidate.model),
        margin=margin,
        comparisons=tuple(comparisons),
        stops=tuple(stops),
        guard=guard,
        table=_table(candidate, pairs[0][2], pairs[-1][2]),
        independence_checked=used_hashes is not None,
    )


def not_judged(model: Mapping[str, str], guard: GuardReport | None = None, margin: float = 0.02) -> Verdict:
    """Return the verdict on a candidate for which there is no judging case at all: too few cases, a person decides.

    Args:
        model: At least ``name`` and ``version`` of the candidate.
        guard: What guard cases say; a hard stop on a real one stops here too.
        margin: As for :func:`judge`; decides whether the guard cases show forgetting.
    """
    stopped = guard is not None and not guard.proxy and bool(guard.stops)
    return Verdict(
        outcome=Outcome.HARD_STOP if stopped else Outcome.TOO_FEW, action=Action.DECIDE, candidate=dict(model),
        margin=margin, comparisons=(), stops=(), guard=guard, table=(), independence_checked=True,
    )  # fmt: skip


def _outcome(comparisons: list[Comparison], stopped: bool) -> Outcome:
    if stopped:
        return Outcome.HARD_STOP
    if len(comparisons[0].differences) < FEWEST_FOR_TEST:
        return Outcome.TOO_FEW
    return Outcome.ACCEPT if all(comparison.not_worse for comparison in comparisons) else Outcome.REJECT


def _action(outcome: Outcome, guard: GuardReport | None, margin: float) -> Action:
    if outcome in (Outcome.HARD_STOP, Outcome.TOO_FEW):
        return Action.DECIDE
    if outcome is Outcome.REJECT:
        return Action.KEEP
    return Action.DECIDE if guard is not None and guard.forgot(margin) else Action.PROMOTE


def _refuse_used(candidate: Evaluation, used_hashes: Collection[str] | None) -> None:
    used = set(used_hashes or ())
    seen = [row.case for row in candidate.rows if row.hash in used or used.intersection(row.voxels)]
    if seen:
        raise InputError(
            "The candidate cannot be judged on cases that it was trained on.",
            reason=f"Used for training or for stopping: {', '.join(seen)}.",
            remedy="Put these cases into one split only, and judge on test cases.",
            code="case-was-used",
        )


def _table(candidate: Evaluation, current: Evaluation, first: Evaluation) -> tuple[TableRow, ...]:
    table = []
    for new, now, old in zip(candidate.rows, current.rows, first.rows, strict=True):
        means = first.mean_dice(old), current.mean_dice(now), candidate.mean_dice(new)
        table.append(TableRow(new.case, "mean over regions", *means, means[2] - means[1], False, None, None, None))
        for name in candidate.targets:
            a, b, c = old.scores[name], now.scores[name], new.scores[name]
            empty = a.both_empty and b.both_empty and c.both_empty
            volumes = c.reference_ml, b.volume_ml, c.volume_ml
            table.append(TableRow(new.case, name, a.dice, b.dice, c.dice, c.dice - b.dice, empty, *volumes))
    return tuple(table)
