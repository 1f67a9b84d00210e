"""Randomness that is the same, bit for bit, on every machine.

A seed fixes a case only if every number drawn from it is reproducible. Three things are not: sums whose order depends
on the processor (BLAS, SIMD reductions), functions that each C library rounds in its own way (``exp``, ``pow``, the
tail of ``standard_normal``), and multiply-add contraction in compiled loops. So this file draws only uniform numbers
from PCG64 and combines them with elementwise ``+ - * /`` and ``sqrt``, which IEEE 754 rounds in one way only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

# The standard deviation of smooth() before scaling: coefficients uniform in -1..1 have the variance 1/3, and a cubic
# B-spline keeps the integral of its square, 151/315, of the variance along each of three axes.
_SMOOTH_DEVIATION = math.sqrt((151 / 315) * (151 / 315) * (151 / 315) / 3)


class Chance:
    """A seeded source of numbers, choices and noise fields.

    Args:
        seed: Any non-negative integer.
    """

    def __init__(self, seed: int):
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def between(self, low: float, high: float) -> float:
        """Return a number drawn evenly from ``low``..``high``."""
        return low + (high - low) * float(self._generator.random())

    def happens(self, probability: float) -> bool:
        """Return True with the given probability."""
        return float(self._generator.random()) < probability

    def one_of(self, items: Sequence[Item]) -> Item:
        """Return one of ``items``, each as likely as any other."""
        return items[int(self._generator.random() * len(items))]

    def direction(self) -> tuple[float, float, float]:
        """Return a unit vector, evenly distributed over the sphere."""
        while True:
            x, y, z = (self.between(-1, 1) for _ in range(3))
            length = math.sqrt(x * x + y * y + z * z)
            if 0.1 < length <= 1:
                return x / length, y / length, z / length

    def bell(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return independent, almost normal float32 numbers with mean 0 and deviation 1.

        A sum of four uniform numbers (Irwin–Hall) deviates from the normal distribution beyond 2.5 deviations only,
        which no noise model of an MR image can tell apart.
        """
        total = self._generator.random(shape, dtype=np.float32)
        for _ in range(3):
            total += self._generator.random(shape, dtype=np.float32)
        return (total - np.float32(2.0)) * np.float32(math.sqrt(3))

    def smooth(self, shape: tuple[int, int, int], cell: Sequence[float]) -> np.ndarray:
        """Return smooth noise with mean 0 and deviation 1, twice continuously differentiable.

        Random coefficients on a coarse lattice are interpolated by cubic B-splines.

        Args:
            shape: Shape ``(D, H, W)`` of the result.
            cell: Distance of the lattice points along each array axis, in voxels; structures are about twice as wide.

        Returns:
            float32 array of ``shape``.
        """
        knots = tuple(int(n / c) + 5 for n, c in zip(shape, cell, strict=True))
        field = self._generator.random(knots, dtype=np.float32) * np.float32(2) - np.float32(1)
        for axis, (length, step) in enumerate(zip(shape, cell, strict=True)):
            field = _interpolated(field, axis, length, step)
        return field * np.float32(1 / _SMOOTH_DEVIATION)


def _interpolated(field: np.ndarray, axis: int, length: int, step: float) -> np.ndarray:
    """Evaluate cubic B-splines with coefficients ``field`` at ``length`` points along ``axis``, ``1/step`` apart."""
    position = np.arange(length, dtype=np.float64) / step
    knot = position.astype(np.int64)
    t = position - knot
    weights = (
        (1 - t) * (1 - t) * (1 - t) / 6,
        (3 * t * t * t - 6 * t * t + 4) / 6,
        (3 * t * t + 3 * t + 1 - 3 * t * t * t) / 6,
        t * t * t / 6,
    )
    along = [1] * field.ndim
    along[axis] = length
    result = np.zeros((), dtype=np.float32)
    for offset, weight in enumerate(weights):
        result = result + np.take(field, knot + offset, axis=axis) * weight.astype(np.float32).reshape(along)
    return result
