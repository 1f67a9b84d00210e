"""Bring evaluations of several versions to the same cases in the same order, or refuse."""

from __future__ import annotations

from dataclasses import replace

from ...errors import InputError
from ..scores import Evaluation


def paired(candidate: Evaluation, current: Evaluation, first: Evaluation) -> list[tuple[str, Evaluation, Evaluation]]:
    """Return what the candidate is compared with: ``(name, candidate, other version)``, rows in the candidate's order.

    The current version comes first; the first version follows unless it is the current one.

    Raises:
        InputError: If there is no case, a case appears twice, or the versions were not evaluated on the same cases and
            labels.
    """
    hashes = [row.hash for row in candidate.rows]
    if not hashes:
        raise _refused("There is no case to judge the candidate on.", "The evaluation is empty.", "no-cases")
    twice = sorted({row.case for row in candidate.rows if hashes.count(row.hash) > 1})
    if twice:
        raise _refused(
            "A judging case counts twice.",
            f"These have the same content as another one: {', '.join(twice)}.",
            "duplicate-case",
        )
    pairs = [("current", candidate, _ordered(candidate, current, "current"))]
    if dict(first.model) != dict(current.model):
        pairs.append(("first", candidate, _ordered(candidate, first, "first")))
    return pairs


def _ordered(candidate: Evaluation, other: Evaluation, name: str) -> Evaluation:
    if candidate.targets != other.targets:
        raise _refused(
            f"The candidate and the {name} version do not know the same labels.",
            f"The candidate has {', '.join(candidate.targets)}; the other one {', '.join(other.targets)}.",
            "labels-differ",
        )
    rows = {row.hash: row for row in other.rows}
    ours = {row.hash: row.case for row in candidate.rows}
    if len(other.rows) != len(ours) or rows.keys() != ours.keys():
        differing = {row.case for row in candidate.rows if row.hash not in rows}
        differing |= {row.case for row in other.rows if row.hash not in ours}
        raise _refused(
            f"The candidate and the {name} version were not evaluated on the same cases.",
            f"They differ in {', '.join(sorted(differing)) or 'how often a case appears'}.",
            "cases-differ",
        )
    return replace(other, rows=tuple(rows[row.hash] for row in candidate.rows))


def _refused(message: str, reason: str, code: str) -> InputError:
    return InputError(message, reason=reason, remedy="Evaluate all versions on the same test cases.", code=code)
