"""Between disjoint labels (what a mask holds) and regions (what a network predicts)."""

from __future__ import annotations

import numpy as np

from .contract import LabelContract


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

    Regions are nested, from the largest to the smallest. A voxel belongs to a region if it exceeds the threshold there
    *and* in every larger region, so that an enhancing voxel outside the whole tumour cannot appear. What a region has
    beyond the next smaller one is one label.

    Args:
        probabilities: Shape ``(R, D, H, W)``, in the contract's region order.
        contract: The label contract; each region minus the next must be exactly one label.
        threshold: A probability above it counts as inside.

    Returns:
        uint8 mask of shape ``(D, H, W)`` with the contract's values, 0 where nothing is.
    """
    mask = np.zeros(probabilities.shape[1:], dtype=np.uint8)
    inside = np.ones(mask.shape, dtype=bool)
    for index, region in enumerate(contract.regions):
        inner = set(contract.regions[index + 1].labels) if index + 1 < len(contract.regions) else set()
        (own,) = set(region.labels) - inner
        inside = inside & (probabilities[index] > threshold)
        mask[inside] = contract.label(own).value
    return mask
