"""Between disjoint labels (what a mask holds) and regions (what a network predicts)."""

from __future__ import annotations

import numpy as np

from .contract import EXCLUSIVE, ORDERED, LabelContract


def regions_of(mask: np.ndarray, contract: LabelContract) -> np.ndarray:
    """Return the regions of a mask as booleans.

    Args:
        mask: Integer labels by the contract's values, shape ``(D, H, W)``.
        contract: The label contract.

    Returns:
        Boolean array of shape ``(R, D, H, W)``, in the contract's region order.
    """
    return np.stack([np.isin(mask, [contract.label(name).value for name in r.labels]) for r in contract.regions])


def labels_from_regions(probabilities: np.ndarray, contract: LabelContract, threshold: float = 0.5) -> np.ndarray:
    """Return the disjoint mask that region probabilities say.

    How is the contract's ``outputs``:

    - nested: a voxel belongs to a region if it exceeds the threshold there *and* in every larger region, so that an
      enhancing voxel outside the whole tumour cannot appear; what a region has beyond the next smaller one is one label
    - exclusive: a voxel is the most probable of background and labels; background has what the labels leave of 1.
    - ordered: each region writes its label where it exceeds the threshold, over what the regions before it wrote.

    Args:
        probabilities: Shape ``(R, D, H, W)``, in the contract's region order.
        contract: The label contract; if nested, each region minus the next must be exactly one label.
        threshold: A probability above it counts as inside; exclusive outputs have none.

    Returns:
        uint8 mask of shape ``(D, H, W)`` with the contract's values, 0 where nothing is.
    """
    if contract.outputs == EXCLUSIVE:
        return _most_probable(probabilities, contract)
    if contract.outputs == ORDERED:
        return _written_in_order(probabilities, contract, threshold)
    return _nested(probabilities, contract, threshold)


def _nested(probabilities: np.ndarray, contract: LabelContract, threshold: float) -> np.ndarray:
    mask = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    inside = np.ones(mask.shape, dtype=bool)
    for index, region in enumerate(contract.regions):
        inner = set(contract.regions[index + 1].labels) if index + 1 < len(contract.regions) else set()
        (own,) = set(region.labels) - inner
        inside = inside & (probabilities[index] > threshold)
        mask[inside] = contract.label(own).value
    return mask


def _most_probable(probabilities: np.ndarray, contract: LabelContract) -> np.ndarray:
    mask = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    best = 1 - probabilities.sum(axis=0)
    for label, probability in zip(contract.labels, probabilities, strict=True):
        higher = probability > best
        mask[higher] = label.value
        best = np.where(higher, probability, best)
    return mask


def _written_in_order(probabilities: np.ndarray, contract: LabelContract, threshold: float) -> np.ndarray:
    mask = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    for region, probability in zip(contract.regions, probabilities, strict=True):
        mask[probability > threshold] = contract.label(region.writes).value
    return mask
