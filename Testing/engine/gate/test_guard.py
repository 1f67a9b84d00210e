"""Forgetting is measured or said not to be."""

from __future__ import annotations

import numpy as np
import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.training.gate.guard import GuardReport, guard_report, proxy_cases
from convnextseg_engine.training.gate.judge import judge
from convnextseg_engine.training.gate.verdict import Action, Outcome
from engine.gate.made_scores import changed, versions

GOOD = [0.02, 0.01, 0.015, 0.01, 0.02, 0.012]


def report(kind: str, differences) -> GuardReport:
    return guard_report(kind, *versions(differences))


def test_without_guard_cases_forgetting_is_not_measured_and_never_passed():
    verdict = judge(*versions(GOOD))
    line = next(line for line in verdict.text().splitlines() if line.startswith("Forgetting:"))
    assert line.startswith("Forgetting: Not measured.")
    assert "pass" not in line.lower()
    assert verdict.to_dict()["guard_measured"] is False
    assert verdict.to_dict()["guard"] is None


@pytest.mark.parametrize("kind", ["guard pack", "named cases", "proxy"])
def test_guard_cases_that_stay_as_they_are_are_reported_as_measured(kind):
    verdict = judge(*versions(GOOD), guard=report(kind, [0.0, 0.01]))
    line = next(line for line in verdict.text().splitlines() if line.startswith("Forgetting:"))
    assert line.startswith("Forgetting: Measured on 2") and "No forgetting was seen in these cases" in line
    assert ("proxy" in line) == (kind == "proxy")
    assert (verdict.outcome, verdict.action) == (Outcome.ACCEPT, Action.PROMOTE)


@pytest.mark.parametrize("kind", ["guard pack", "named cases"])
def test_a_real_guard_case_that_breaks_stops_the_candidate(kind):
    verdict = judge(*versions(GOOD), guard=report(kind, [0.0, -0.3]))
    assert verdict.outcome is Outcome.HARD_STOP
    assert "has forgotten" in verdict.text()
    assert "The stop comes from the guard cases" in verdict.text()


def test_a_broken_proxy_warns_and_leaves_the_decision_to_a_person():
    verdict = judge(*versions(GOOD), guard=report("proxy", [0.0, -0.3]))
    assert (verdict.outcome, verdict.action) == (Outcome.ACCEPT, Action.DECIDE)
    assert "has forgotten" in verdict.text()
    assert "proxy, no patients" in verdict.text()


def test_a_mean_loss_above_the_margin_is_forgetting_without_any_single_stop():
    guard = report("named cases", [-0.03, -0.04, -0.03])
    assert guard.stops == ()
    assert guard.forgot(0.02) and not guard.forgot(0.05)
    assert judge(*versions(GOOD), guard=guard).action is Action.DECIDE


def test_forgetting_against_the_first_version_counts():
    candidate, current, first = versions([0.0, 0.0], since_first=-0.05)
    guard = guard_report("named cases", candidate, current, first)
    assert guard.mean_change("current") == pytest.approx(0)
    assert guard.mean_change("first") == pytest.approx(-0.05)
    assert guard.forgot(0.02)


def test_a_report_survives_json_and_unknown_kinds_are_refused():
    candidate, current, first = versions([0.0, -0.2])
    candidate = changed(candidate, 0, "core", dice=0.0, volume_ml=0.0)
    guard = guard_report("guard pack", candidate, current, first)
    assert guard.stops
    assert GuardReport.from_dict(guard.to_dict()) == guard
    with pytest.raises(InputError, match="kind"):
        guard_report("hearsay", candidate, current, first)


def test_proxies_are_always_the_same_brains_and_differ_from_each_other():
    small = {"size": (32, 32, 32), "spacing": (4.5, 5.2, 4.5)}
    cases, again = proxy_cases(3, **small), proxy_cases(3, **small)
    assert [case.hash for case in cases] == [case.hash for case in again]
    assert len({case.hash for case in cases}) == 3
    assert all(case.id.startswith("synthetic-") for case in cases)
    assert cases[0].mask().shape == cases[0].study().reference_grid.shape
    assert np.any(cases[0].mask())
