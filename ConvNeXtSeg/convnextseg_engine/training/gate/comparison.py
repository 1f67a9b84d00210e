"""The candidate against one other version: paired differences, the test that suits their number, and its power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .statistics import ALPHA, bootstrap_interval, sign_flip_p, t_lower_bound

# Fewer cases than 5 cannot give p < 0.05 by turning signs (1/16 is the smallest), so a test would be a pretence.
# From 10 the t bound is used; below, its assumption of normal differences can neither be checked nor excused.
FEWEST_FOR_TEST = 5
FEWEST_FOR_T = 10

# Losses of mean Dice for which the power is stated; the first one stands in the sentence beside the verdict.
STATED_LOSSES = (0.03, 0.01, 0.02, 0.05, 0.10)
_SIMULATIONS = 2000  # a share is then right to about 0.02; it is stated in tenths
_SEED = 20220301


@dataclass(frozen=True)
class Power:
    """What the test could have noticed with this number of cases and this spread of differences.

    Method: 2000 sets of ``n`` normal differences with the observed standard deviation are drawn (fixed seed), shifted
    by a loss, and tested as the real ones are.

    Attributes:
        deviation: Observed standard deviation of the differences, in Dice.
        noticed: Pairs of a true loss of mean Dice and the share of repetitions in which the test shows a loss.
        equal_accepted: Share of repetitions in which a candidate exactly as good would be accepted.
    """

    deviation: float
    noticed: tuple[tuple[float, float], ...]
    equal_accepted: float


@dataclass(frozen=True)
class Comparison:
    """The candidate's primary endpoint against that of another version, case by case.

    Attributes:
        against: ``"current"`` or ``"first"``.
        version: The other version.
        differences: Candidate minus other version, mean Dice over the regions, one number a case.
        mean: Their mean.
        test: ``"none"``, ``"sign-flip"`` or ``"t bound"``.
        p: p-value of the sign-flip test of (difference + margin), or None.
        lower_bound: One-sided 95 % lower bound of the mean difference from the t test, or None.
        not_worse: Whether the test shows that the loss is smaller than the margin; None without a test.
        shown_worse: Whether the mirrored test shows that there is a loss at all; None without a test.
        interval: 95 % bootstrap interval of the mean for display, or None with fewer than 5 cases.
        power: What the test could have noticed; None without a test, or if the differences do not vary.
    """

    against: str
    version: str
    differences: tuple[float, ...]
    mean: float
    test: str
    p: float | None
    lower_bound: float | None
    not_worse: bool | None
    shown_worse: bool | None
    interval: tuple[float, float] | None
    power: Power | None

    @property
    def weak(self) -> bool:
        """Whether the test is one for 5 to 9 cases, which only notices large losses."""
        return self.test == "sign-flip"


def compare(against: str, version: str, differences: np.ndarray, margin: float) -> Comparison:
    """Return the comparison for paired differences (candidate minus other version), shape ``(n,)``."""
    differences = np.asarray(differences, dtype=np.float64)
    n, mean = len(differences), float(np.mean(differences))
    common = {"against": against, "version": version, "differences": tuple(map(float, differences)), "mean": mean}
    if n < FEWEST_FOR_TEST:
        return Comparison(
            **common, test="none", p=None, lower_bound=None, not_worse=None, shown_worse=None, interval=None, power=None
        )
    small = n < FEWEST_FOR_T
    return Comparison(
        **common,
        test="sign-flip" if small else "t bound",
        p=float(sign_flip_p(differences + margin)) if small else None,
        lower_bound=None if small else float(t_lower_bound(differences)),
        not_worse=bool(_above(differences, -margin)),
        shown_worse=bool(_above(-differences, 0.0)),
        interval=bootstrap_interval(differences),
        power=_power(differences, margin),
    )


def _above(values: np.ndarray, limit: float) -> np.ndarray:
    """Say whether the test for ``n`` cases shows that the mean of ``values`` ``(..., n)`` is above ``limit``."""
    if values.shape[-1] < FEWEST_FOR_T:
        return sign_flip_p(values - limit) <= ALPHA
    return t_lower_bound(values) > limit


def _power(differences: np.ndarray, margin: float) -> Power | None:
    deviation = float(differences.std(ddof=1))
    if deviation < 1e-9:
        return None
    noise = deviation * np.random.default_rng(_SEED).standard_normal((_SIMULATIONS, len(differences)))
    # The same noise for every loss: a larger loss is then noticed at least as often, as it must be.
    noticed = tuple((loss, float(np.mean(_above(loss - noise, 0.0)))) for loss in STATED_LOSSES)
    return Power(deviation, noticed, float(np.mean(_above(noise, -margin))))
