"""Temperatures: dividing logits by a number, so that probabilities say how often they are right.

Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, arXiv:1706.04599. One number for each region that is
predicted on its own, and one for all where outputs exclude each other. A division does not move a voxel across one
half, nor change which output is largest, so masks stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..labels.contract import EXCLUSIVE, LabelContract

_NEAREST = 1e-6  # to 0 and 1; a probability of exactly 1 has no logit
_COLDEST, _HOTTEST = 0.1, 10.0
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 30  # of a golden section: the last interval is below a millionth of the first


def with_temperature(regions: np.ndarray, contract: LabelContract, temperatures: dict[str, float]) -> np.ndarray:
    """Return calibrated probabilities.

    Args:
        regions: Probabilities, shape ``(R, D, H, W)``.
        contract: The label contract.
        temperatures: Region name to temperature; a region without one stays as it is. Where outputs exclude each other
            all regions have the same.
    """
    if not temperatures:
        return regions
    if contract.outputs == EXCLUSIVE:
        return softened(regions, next(iter(temperatures.values())))
    found = np.empty(regions.shape, dtype=np.float32)
    for index, region in enumerate(contract.regions):
        found[index] = warmed(regions[index], temperatures.get(region.name, 1.0))
    return found


def warmed(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities of one region with their logits divided by ``temperature``, float32."""
    if temperature == 1.0:
        return probability.astype(np.float32, copy=False)
    clipped = np.clip(probability, _NEAREST, 1 - _NEAREST).astype(np.float32)
    logit = (np.log(clipped) - np.log1p(-clipped)) / np.float32(temperature)
    # What the network is entirely sure of, such as the outside of its input, stays so.
    return np.where((probability <= 0) | (probability >= 1), probability, 0.5 + 0.5 * np.tanh(logit / 2)).astype(
        np.float32
    )


def softened(labels: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities ``(L, …)`` of labels that exclude each other, background left out, likewise."""
    background = np.clip(1 - labels.sum(axis=0), 0, 1)
    powers = np.maximum(np.concatenate([background[None], labels]), _NEAREST) ** np.float32(1 / temperature)
    return (powers[1:] / powers.sum(axis=0)).astype(np.float32)


def fitted_temperature(probabilities: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """Return the temperature at which one region's probabilities explain the truth best.

    Each case counts the same, whatever its size; what is minimised is the negative log likelihood.

    Args:
        probabilities: Of a region at the voxels that count, one flat array a case.
        truths: Whether the region truly is there, in the same order.
    """
    logits = []
    for probability in probabilities:
        clipped = np.clip(probability.astype(np.float64), _NEAREST, 1 - _NEAREST)
        logits.append(np.log(clipped) - np.log1p(-clipped))

    def loss(temperature: float) -> float:
        pairs = zip(logits, truths, strict=True)
        return sum(
            float(np.logaddexp(0, np.where(truth, -logit, logit) / temperature).mean()) for logit, truth in pairs
        )

    return _with_least_loss(loss)


def fitted_exclusive_temperature(labels: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> float:
    """Return the same for labels that exclude each other.

    Args:
        labels: Probabilities of the labels, background left out, ``(L, voxels)``, one array a case.
        truths: Index of the true label counted from 1, 0 for background, one flat array a case.
    """

    def loss(temperature: float) -> float:
        total = 0.0
        for probability, truth in zip(labels, truths, strict=True):
            warm = softened(probability, temperature)
            every = np.concatenate([1 - warm.sum(axis=0, keepdims=True), warm])
            said = np.take_along_axis(every, truth[None], axis=0)
            total -= float(np.log(np.maximum(said, _NEAREST)).mean())
        return total

    return _with_least_loss(loss)


def _with_least_loss(loss: Callable[[float], float]) -> float:
    """The temperature with the smallest loss, by golden section; the loss is convex in 1 / temperature."""
    low, high = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if loss(np.exp(left)) < loss(np.exp(right)):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
