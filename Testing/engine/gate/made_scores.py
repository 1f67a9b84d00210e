"""Evaluations with chosen scores, for tests of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from convnextseg_engine.training.scores import CaseScore, Evaluation, Score

REGIONS = ("whole tumour", "tumour core", "enhancing tumour")
LABELS = ("edema", "core", "enhancing")


def evaluation(version: str, dices: Sequence[float]) -> Evaluation:
    """One case for each Dice, which all its regions and labels share; 20 mL each, exactly the reference volume."""
    rows = [
        CaseScore(
            f"case-{index}",
            f"hash-{index}",
            {name: Score(float(dice), 2.0, 20.0, 20.0) for name in REGIONS + LABELS},
            (f"voxels-{index}",),
        )
        for index, dice in enumerate(dices)
    ]
    return Evaluation({"name": "demo", "version": version}, REGIONS, LABELS, tuple(rows))


def versions(
    differences: Sequence[float], since_first: float = 0.0, base: float = 0.7
) -> tuple[Evaluation, Evaluation, Evaluation]:
    """Candidate, current and first version; the current one is ``since_first`` better than the first."""
    current = np.full(len(differences), base)
    return (
        evaluation("v3", current + np.asarray(differences)),
        evaluation("v2", current),
        evaluation("v1", current - since_first),
    )


def changed(source: Evaluation, case: int, target: str, **fields: float | None) -> Evaluation:
    """Return ``source`` with other fields in the score of one target of one case."""
    row = source.rows[case]
    row = replace(row, scores={**row.scores, target: replace(row.scores[target], **fields)})
    return replace(source, rows=(*source.rows[:case], row, *source.rows[case + 1 :]))
