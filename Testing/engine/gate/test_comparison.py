"""Which test is made, and what it could have noticed."""

from __future__ import annotations

import numpy as np
import pytest

from convnextseg_engine.training.gate.comparison import compare
from convnextseg_engine.training.gate.statistics import sign_flip_p, t_lower_bound

MARGIN = 0.02


@pytest.mark.parametrize(("n", "test"), [(1, "none"), (4, "none"), (5, "sign-flip"), (9, "sign-flip"), (10, "t bound")])
def test_the_number_of_cases_decides_the_test(n, test):
    result = compare("current", "v1", np.linspace(-0.01, 0.02, n), MARGIN)
    assert result.test == test
    assert result.weak == (test == "sign-flip")
    assert (result.not_worse is None) == (result.shown_worse is None) == (test == "none")
    assert (result.p is None) == (test != "sign-flip")
    assert (result.lower_bound is None) == (test != "t bound")
    assert (result.interval is None) == (test == "none")
    assert (result.power is None) == (test == "none")


def test_the_sign_flip_test_is_of_difference_plus_margin():
    differences = np.array([-0.03, 0.01, 0.02, 0.005, 0.0, 0.01])
    result = compare("current", "v1", differences, MARGIN)
    assert result.p == sign_flip_p(differences + MARGIN)
    assert result.not_worse == (result.p <= 0.05)


def test_the_t_bound_is_compared_with_minus_the_margin():
    differences = np.random.default_rng(0).normal(-0.005, 0.01, 12)
    result = compare("current", "v1", differences, MARGIN)
    assert result.lower_bound == t_lower_bound(differences)
    assert result.not_worse == (result.lower_bound > -MARGIN)
    assert compare("current", "v1", differences, 1e-4).not_worse is False


@pytest.mark.parametrize("n", [6, 12])
def test_a_clear_loss_is_shown_and_a_clear_gain_is_not(n):
    noise = np.random.default_rng(1).normal(0, 0.005, n)
    assert compare("current", "v1", noise - 0.05, MARGIN).shown_worse is True
    assert compare("current", "v1", noise + 0.05, MARGIN).shown_worse is False


@pytest.mark.parametrize("n", [5, 6, 9, 10, 20])
def test_a_larger_loss_is_noticed_at_least_as_often(n):
    power = compare("current", "v1", np.random.default_rng(n).normal(0, 0.03, n), MARGIN).power
    shares = [share for _, share in sorted(power.noticed)]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_more_cases_notice_more():
    def noticed(n: int) -> float:
        pattern = np.resize([0.03, -0.03], n)
        pattern = pattern / pattern.std(ddof=1) * 0.03
        return dict(compare("current", "v1", pattern, MARGIN).power.noticed)[0.03]

    shares = [noticed(n) for n in (6, 8, 10, 14, 20, 40)]
    assert shares == sorted(shares)
    assert shares[0] < 0.7 < 0.95 < shares[-1]


@pytest.mark.parametrize("n", [6, 15])
def test_power_agrees_with_an_independent_simulation(n):
    """Repeat the whole comparison on new data with a known loss and count how often it is shown."""
    spread = np.resize([1.0, -1.0], n)
    spread = spread / spread.std(ddof=1) * 0.03
    stated = compare("current", "v1", spread, MARGIN).power
    rng = np.random.default_rng(77)
    repeated = [compare("current", "v1", rng.normal(-0.03, 0.03, n), MARGIN) for _ in range(120)]
    assert dict(stated.noticed)[0.03] == pytest.approx(np.mean([r.shown_worse for r in repeated]), abs=0.15)
    equal = [compare("current", "v1", rng.normal(0, 0.03, n), MARGIN) for _ in range(120)]
    assert stated.equal_accepted == pytest.approx(np.mean([r.not_worse for r in equal]), abs=0.15)


def test_without_any_spread_no_power_is_invented():
    assert compare("current", "v1", np.zeros(6), MARGIN).power is None
    assert compare("current", "v1", np.zeros(12), MARGIN).power is None
