"""The verdict: right outcomes, honest words, refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.training.gate.guard import guard_report
from convnextseg_engine.training.gate.judge import judge, not_judged
from convnextseg_engine.training.gate.verdict import Action, Outcome, Verdict
from engine.gate.made_scores import LABELS, REGIONS, changed, evaluation, versions


def outcome(differences, since_first=0.0) -> Outcome:
    return judge(*versions(differences, since_first)).outcome


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_with_fewer_than_five_cases_a_person_decides_however_good_the_candidate_looks(n):
    verdict = judge(*versions([0.15] * n))
    assert verdict.outcome is Outcome.TOO_FEW
    assert verdict.action is Action.DECIDE
    assert all(c.test == "none" and c.power is None for c in verdict.comparisons)
    text = verdict.text()
    assert "Too few cases" in text and "You decide" in text
    assert ("There is 1 case;" if n == 1 else f"There are {n} cases;") in text
    assert "Nothing: with" in text  # what a test could have noticed
    assert all(f"Case case-{i}" in text for i in range(n))


def test_without_any_case_a_person_decides_and_the_words_say_why():
    verdict = not_judged({"name": "demo", "version": "v2"})
    assert (verdict.outcome, verdict.action, verdict.cases) == (Outcome.TOO_FEW, Action.DECIDE, 0)
    assert "Too few cases" in verdict.text() and "Not measured" in verdict.text()
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_equal_candidates_are_accepted_from_five_cases_on():
    assert outcome([0.0] * 5) is Outcome.ACCEPT
    assert outcome([0.0] * 10) is Outcome.ACCEPT


@pytest.mark.parametrize("n", [5, 8, 10, 20])
def test_a_loss_of_the_margin_or_more_is_never_accepted(n):
    noise = np.resize([0.001, -0.001], n)
    assert outcome(noise - 0.02) is Outcome.REJECT
    assert outcome(noise - 0.05) is Outcome.REJECT
    assert "shows that the candidate is worse" in judge(*versions(noise - 0.05)).text()


def test_a_candidate_whose_cases_differ_wildly_is_not_accepted_for_a_good_mean():
    verdict = judge(*versions([0.12, -0.08, 0.1, -0.09, 0.11, -0.07]))
    assert verdict.comparisons[0].mean > 0
    assert verdict.outcome is Outcome.REJECT
    assert verdict.action is Action.KEEP
    assert "could not be shown" in verdict.text()


@pytest.mark.parametrize("n", [5, 7, 12])
def test_candidates_that_lose_exactly_the_margin_are_accepted_at_most_one_time_in_twenty(n):
    """The error rate of the whole gate, not of a formula: a gate that always accepts fails here."""
    rng = np.random.default_rng(n)
    accepted = [outcome(rng.normal(-0.02, 0.015, n)) is Outcome.ACCEPT for _ in range(150)]
    assert np.mean(accepted) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_good_candidates_are_usually_accepted():
    """A gate that never accepts fails here."""
    rng = np.random.default_rng(3)
    assert np.mean([outcome(rng.normal(0.02, 0.015, 12)) is Outcome.ACCEPT for _ in range(60)]) > 0.9


def test_small_losses_cannot_add_up_because_the_first_version_counts_too():
    differences = np.resize([0.002, -0.004], 12)
    assert outcome(differences) is Outcome.ACCEPT
    verdict = judge(*versions(differences, since_first=-0.05))  # the current one is already worse than the first
    assert [c.not_worse for c in verdict.comparisons] == [True, False]
    assert verdict.outcome is Outcome.REJECT


def test_where_the_current_version_is_the_first_one_it_is_compared_once():
    candidate, current, _ = versions([0.01] * 6)
    verdict = judge(candidate, current, current)
    assert [c.against for c in verdict.comparisons] == ["current"]
    assert "also the first one" in verdict.text()


@pytest.mark.parametrize("n", [2, 6, 12])
@pytest.mark.parametrize("target", REGIONS + LABELS)
def test_a_hard_stop_outweighs_any_mean_and_is_named(n, target):
    candidate, current, first = versions([0.05] * n)
    candidate = changed(candidate, n - 1, target, dice=0.0, volume_ml=0.0, hd95_mm=None)
    verdict = judge(candidate, current, first)
    assert verdict.outcome is Outcome.HARD_STOP
    assert verdict.action is Action.DECIDE
    assert any(s.rule == "vanished" and s.target == target and s.case == f"case-{n - 1}" for s in verdict.stops)
    assert f"Case case-{n - 1}, " in verdict.text()


def test_a_drift_of_a_tenth_since_the_first_version_stops():
    verdict = judge(*versions([-0.04] * 3, since_first=-0.07))
    assert verdict.outcome is Outcome.HARD_STOP
    assert {stop.against for stop in verdict.stops} == {"first"}


@pytest.mark.parametrize("used", ["hash-2", "voxels-2"])
def test_a_case_that_was_used_is_refused_even_if_only_its_image_is_known(used):
    with pytest.raises(InputError) as caught:
        judge(*versions([0.0] * 6), used_hashes=["other", used])
    assert caught.value.code == "case-was-used"
    assert "case-2" in caught.value.reason


def test_it_is_said_whether_independence_was_checked():
    versions_ = versions([0.0] * 6)
    assert "not checked" in judge(*versions_).text()
    checked = judge(*versions_, used_hashes=["another-case"])
    assert checked.independence_checked
    assert "not checked" not in checked.text()


def test_versions_are_paired_by_content_not_by_order():
    easy_to_hard = np.linspace(0.9, 0.4, 6)  # equal bases would hide a wrong pairing
    candidate, current, first = (evaluation(f"v{3 - i}", easy_to_hard - 0.01 * i) for i in range(3))
    shuffled = replace(current, rows=tuple(reversed(current.rows)))
    verdict = judge(candidate, shuffled, first)
    assert verdict == judge(candidate, current, first)
    assert verdict.comparisons[0].differences == pytest.approx([0.01] * 6)


def test_evaluations_that_do_not_match_are_refused():
    candidate, current, first = versions([0.0] * 6)
    with pytest.raises(InputError, match="same cases") as caught:
        judge(candidate, replace(current, rows=current.rows[:-1]), first)
    assert "case-5" in caught.value.reason
    with pytest.raises(InputError, match="same labels"):
        judge(candidate, replace(current, labels=("edema",)), first)
    with pytest.raises(InputError, match="counts twice"):
        twice = replace(candidate, rows=(candidate.rows[0], *candidate.rows))
        judge(twice, current, first)
    with pytest.raises(InputError, match="no case"):
        judge(evaluation("v3", []), evaluation("v2", []), evaluation("v1", []))
    with pytest.raises(InputError, match="margin"):
        judge(candidate, current, first, margin=0.0)


def test_the_table_holds_every_case_region_and_label_of_all_versions():
    candidate, current, first = versions([0.01, -0.02, 0.0], since_first=0.05)
    table = judge(candidate, current, first).table
    assert [(r.case, r.target) for r in table[:7]] == [("case-0", t) for t in ("mean over regions", *REGIONS, *LABELS)]
    assert len(table) == 3 * 7
    row = next(r for r in table if r.case == "case-1" and r.target == "edema")
    assert (row.first, row.current, row.candidate) == pytest.approx((0.65, 0.70, 0.68))
    assert row.difference == pytest.approx(-0.02)
    assert row.reference_ml == 20.0


def test_a_case_where_nothing_was_to_be_found_is_marked_in_the_table():
    nothing = {"dice": 1.0, "volume_ml": 0.0, "reference_ml": 0.0, "hd95_mm": None}
    all_three = [changed(e, 0, "enhancing", **nothing) for e in versions([0.0, 0.0])]
    assert judge(*all_three).text().count("nothing to find, nothing marked") == 1


@pytest.mark.parametrize("n", [3, 6, 12])
def test_a_verdict_survives_json(n):
    candidate, current, first = versions(np.linspace(-0.12, 0.04, n))
    verdict = judge(candidate, current, first, guard_report("proxy", candidate, current, first), used_hashes=[])
    stored = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert Verdict.from_dict(stored) == verdict
    assert stored["text"] == verdict.text()
    with pytest.raises(InputError, match="verdict"):
        Verdict.from_dict({**stored, "format": 99})


def test_the_power_sentence_says_what_would_have_been_noticed():
    noise = np.array([0.04, -0.035, 0.03, -0.03, 0.025, -0.028])
    sentence = judge(*versions(noise)).text()
    assert "With 6 cases a loss of 0.03 Dice would be noticed" in sentence
    assert "in 10" in sentence
    assert "cannot be said" in judge(*versions([0.0] * 6)).text()
