"""From probabilities of regions, which may overlap, to probabilities of labels, which exclude each other."""

from __future__ import annotations

import numpy as np

from ..labels.contract import EXCLUSIVE, ORDERED, LabelContract


def label_probabilities(regions: np.ndarray, contract: LabelContract) -> np.ndarray:
    """Return how probable background and each label are.

    Nested regions: a label has what its region has beyond the next smaller one; a smaller region cannot be more
    probable than a larger one. Ordered regions: a region's label counts where no later region writes over it, as if
    regions were independent. Exclusive ones are what they are.

    Args:
        regions: Probabilities, float, shape ``(R, D, H, W)``.
        contract: The label contract.

    Returns:
        float32, shape ``(1 + L, D, H, W)``: background, then the contract's labels in their order; they add up to 1.
    """
    regions = np.clip(regions.astype(np.float32, copy=False), 0, 1)
    labels = np.zeros((1 + len(contract.labels), *regions.shape[1:]), dtype=np.float32)
    place = {label.name: index for index, label in enumerate(contract.labels, start=1)}
    if contract.outputs == EXCLUSIVE:
        labels[1:] = regions
        labels[0] = np.clip(1 - regions.sum(axis=0), 0, 1)
        return labels / np.maximum(labels.sum(axis=0), 1e-12)
    if contract.outputs == ORDERED:
        free = np.ones(regions.shape[1:], dtype=np.float32)
        for region, probability in zip(reversed(contract.regions), regions[::-1], strict=True):
            labels[place[region.writes]] += probability * free
            free = free * (1 - probability)
        labels[0] = free
        return labels
    nested = [regions[0]]
    for region in regions[1:]:
        nested.append(np.minimum(nested[-1], region))  # np.minimum.accumulate takes ten times as long along this axis
    labels[0] = 1 - nested[0]
    for index, region in enumerate(contract.regions):
        last = index + 1 == len(contract.regions)
        inner = set() if last else set(contract.regions[index + 1].labels)
        (own,) = set(region.labels) - inner
        labels[place[own]] = nested[index] if last else nested[index] - nested[index + 1]
    return labels
