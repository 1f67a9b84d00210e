"""Student's t distribution for whole degrees of freedom.

SciPy is no dependency at run time, and for whole degrees of freedom the distribution function is a finite sum, exact
up to rounding (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4). Tests compare it with SciPy.
"""

from __future__ import annotations

import math


def cdf(t: float, degrees: int) -> float:
    """Return the probability that a t variable with ``degrees`` degrees of freedom (1, 2, …) is at most ``t``."""
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be 1 or more, not {degrees}")
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    if degrees % 2:
        term, total = cosine, 0.0
        for k in range(3, degrees + 1, 2):
            total += term
            term *= cosine * cosine * (k - 1) / k
        within = 2 / math.pi * (angle + sine * total)
    else:
        term, total = 1.0, 0.0
        for k in range(2, degrees + 1, 2):
            total += term
            term *= cosine * cosine * (k - 1) / k
        within = sine * total
    return 0.5 + within / 2


def quantile(probability: float, degrees: int) -> float:
    """Return the ``t`` with ``cdf(t, degrees) == probability``, by bisection; 0.5 ≤ ``probability`` < 1."""
    if not 0.5 <= probability < 1:
        raise ValueError(f"probability must lie in 0.5..1, not {probability}")
    low, high = 0.0, 1.0
    while cdf(high, degrees) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if cdf(middle, degrees) < probability else (low, middle)
    return high
