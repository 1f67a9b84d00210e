"""The gate's statistics against brute force, SciPy and simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from convnextseg_engine.training.gate.statistics import bootstrap_interval, sign_flip_p, t_lower_bound
from convnextseg_engine.training.gate.student_t import cdf, quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 10, 29, 30, 101, 500])
def test_t_distribution_is_that_of_scipy(degrees):
    for t in (-40.0, -3.3, -1.0, -0.1, 0.0, 0.4, 1.7, 6.0, 200.0):
        assert cdf(t, degrees) == pytest.approx(scipy.stats.t.cdf(t, degrees), abs=1e-12)
    for probability in (0.5, 0.6, 0.9, 0.95, 0.975, 0.999):
        assert quantile(probability, degrees) == pytest.approx(
            scipy.stats.t.ppf(probability, degrees), rel=1e-9, abs=1e-12
        )


def test_t_distribution_refuses_what_has_no_value():
    with pytest.raises(ValueError, match="degrees"):
        cdf(1.0, 0)
    with pytest.raises(ValueError, match="probability"):
        quantile(1.0, 5)


@pytest.mark.parametrize("n", range(1, 10))
def test_sign_flip_p_value_is_the_share_of_all_sign_patterns(n):
    values = np.random.default_rng(n).normal(0.1, 1, n)
    sums = [np.dot(signs, values) for signs in itertools.product((1, -1), repeat=n)]
    assert sign_flip_p(values) == pytest.approx(np.mean(np.array(sums) >= values.sum() - 1e-12), abs=1e-15)


@pytest.mark.parametrize("n", [5, 7, 9])
def test_sign_flip_p_value_is_that_of_scipys_exact_permutation_test(n):
    values = np.random.default_rng(100 + n).normal(0.3, 1, n)
    expected = scipy.stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert sign_flip_p(values) == pytest.approx(expected.pvalue, abs=1e-12)


def test_sign_flip_test_of_four_cases_can_never_be_significant_and_of_five_it_can():
    assert sign_flip_p(np.full(4, 9.0)) == 1 / 16 > 0.05
    assert sign_flip_p(np.full(5, 0.001)) == 1 / 32 < 0.05


def test_sign_flip_ties_count_against_the_candidate():
    assert sign_flip_p(np.zeros(5)) == 1
    assert sign_flip_p(np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.0])) == 1 / 32


def test_sign_flip_test_works_row_by_row_and_refuses_what_it_cannot_enumerate():
    rows = np.random.default_rng(1).normal(0, 1, (3, 6))
    assert sign_flip_p(rows).tolist() == [sign_flip_p(row) for row in rows]
    with pytest.raises(ValueError, match="1 to 16"):
        sign_flip_p(np.zeros(17))


@pytest.mark.parametrize("n", [2, 10, 25])
def test_t_bound_is_that_of_scipy(n):
    values = np.random.default_rng(n).normal(0.01, 0.03, n)
    expected = scipy.stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.95).low
    assert t_lower_bound(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [5, 6, 9])
def test_sign_flip_test_errs_at_most_one_time_in_twenty(n):
    null = np.random.default_rng(n).normal(0, 1, (20_000, n))
    rate = np.mean(sign_flip_p(null) <= 0.05)
    assert 0.02 < rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 20_000)


@pytest.mark.parametrize("n", [10, 20])
def test_t_bound_errs_one_time_in_twenty(n):
    null = np.random.default_rng(n).normal(0, 1, (20_000, n))
    assert np.mean(t_lower_bound(null) > 0) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 20_000))


def test_bootstrap_interval_holds_the_mean_and_is_reproducible():
    values = np.random.default_rng(5).normal(0.02, 0.05, 12)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(values, seed=1) != (low, high)
    error = values.std() / np.sqrt(12)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.15)
