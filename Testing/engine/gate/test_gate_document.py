"""The worked example of docs/gate.md is what the gate says, word for word."""

from __future__ import annotations

from pathlib import Path

from convnextseg_engine.training.gate.judge import judge
from convnextseg_engine.training.gate.verdict import Outcome
from convnextseg_engine.training.scores import CaseScore, Evaluation, Score

_NAMES = ("whole tumour", "tumour core", "enhancing tumour")
# Dice of whole tumour, tumour core, enhancing tumour; and the reference volumes in mL.
_CASES = {
    "A": ((0.88, 0.79, 0.74), (0.90, 0.82, 0.78), (74.0, 31.0, 18.0)),
    "B": ((0.81, 0.70, 0.66), (0.84, 0.71, 0.70), (51.0, 20.0, 12.0)),
    "C": ((0.90, 0.86, 0.81), (0.90, 0.87, 0.80), (122.0, 64.0, 33.0)),
    "D": ((0.76, 0.61, 0.58), (0.79, 0.66, 0.60), (28.0, 9.0, 5.0)),
    "E": ((0.85, 0.77, 0.72), (0.84, 0.74, 0.71), (66.0, 25.0, 14.0)),
    "F": ((0.83, 0.72, 0.70), (0.86, 0.75, 0.71), (47.0, 17.0, 8.0)),
}


def _evaluation(version: str, which: int, cases: str) -> Evaluation:
    rows = []
    for case in cases:
        dices, volumes = _CASES[case][which], _CASES[case][2]
        scores = {n: Score(d, 3.0, v, v) for n, d, v in zip(_NAMES, dices, volumes, strict=True)}
        rows.append(CaseScore(case, f"hash-{case}", scores))
    return Evaluation({"name": "demo", "version": version}, _NAMES, (), tuple(rows))


def _text(cases: str) -> tuple[Outcome, str]:
    current = _evaluation("v1", 0, cases)
    verdict = judge(_evaluation("v2", 1, cases), current, current, used_hashes=["a-training-case"])
    return verdict.outcome, verdict.text()


def test_the_example_with_six_cases_is_in_the_document(repository: Path):
    outcome, text = _text("ABCDEF")
    assert outcome is Outcome.ACCEPT
    assert text in (repository / "docs" / "gate.md").read_text(encoding="utf-8"), (
        f"write this into docs/gate.md:\n{text}"
    )


def test_the_example_with_three_cases_is_in_the_document(repository: Path):
    outcome, text = _text("ABC")
    assert outcome is Outcome.TOO_FEW
    text = text.split("\n\n")[0]  # without the table
    assert text in (repository / "docs" / "gate.md").read_text(encoding="utf-8"), (
        f"write this into docs/gate.md:\n{text}"
    )
