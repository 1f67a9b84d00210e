"""The gate's statistics on paired differences (candidate minus comparison, one number a case).

All tests are one-sided at 5 %. *Non-inferior* means: the mean difference is above ``-margin``.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .student_t import quantile

ALPHA = 0.05
# Sums that are equal on paper may differ by rounding; Dice differences are no finer than 1e-9 for any real image.
_TIE = 1e-12


@cache
def _subsets(n: int) -> np.ndarray:
    """All subsets of ``n`` cases as rows of 0 and 1, shape ``(2**n, n)``."""
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.float64)


def sign_flip_p(values: np.ndarray) -> np.ndarray:
    """Return the exact one-sided p-value that the mean is above zero, by turning the signs in all ways.

    Under the null hypothesis each value is as likely to have been its negative (symmetry about zero or below), so the
    p-value is the share of the ``2**n`` sign patterns whose sum is at least the observed one. Turning the signs of a
    subset lowers the sum by twice the subset's sum, so these are the subsets whose sum is not above zero (Fisher
    1935). Ties count against the candidate.

    Args:
        values: Shape ``(..., n)``; n at most 16.

    Returns:
        p-values, shape ``(...)``; the smallest possible is ``2**-n``, so with fewer than 5 values none is below 5 %.
    """
    values = np.asarray(values, dtype=np.float64)
    n = values.shape[-1]
    if not 1 <= n <= 16:
        raise ValueError(f"an exact sign-flip test is for 1 to 16 values, not {n}")
    return np.mean(values @ _subsets(n).T <= _TIE, axis=-1)


def t_lower_bound(values: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Return the one-sided lower confidence bound of the mean, ``mean - t(1-alpha, n-1) * deviation / sqrt(n)``.

    Args:
        values: Shape ``(..., n)``, n at least 2.
        alpha: Probability that the bound lies above the true mean.
    """
    values = np.asarray(values, dtype=np.float64)
    n = values.shape[-1]
    return values.mean(axis=-1) - quantile(1 - alpha, n - 1) * values.std(axis=-1, ddof=1) / np.sqrt(n)


def bootstrap_interval(values: np.ndarray, *, seed: int = 0, draws: int = 4000) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean; for display only, it is too narrow for few cases.

    Args:
        values: Shape ``(n,)``.
        seed: Fixes the resampling, so that the same cases always give the same interval.
        draws: Number of resamples.
    """
    values = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(values), size=(draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
