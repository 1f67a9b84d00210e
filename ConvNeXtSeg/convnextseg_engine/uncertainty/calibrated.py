"""Probabilities with temperatures, where the temperatures were fitted: within 10 mm of the boundary that was drawn.

Farther away they would not be right but wrong the other way: a network that is sure of background, and right, would be
made to doubt it, and the small doubts of a whole head add up to more than a tumour.
"""

from __future__ import annotations

import numpy as np

from ..images.grid import Grid
from ..labels.contract import EXCLUSIVE, LabelContract
from ..labels.regions import regions_of
from .reliability import near_boundary
from .temperature import warmed, with_temperature


def calibrated(
    regions: np.ndarray, mask: np.ndarray, contract: LabelContract, temperatures: dict[str, float], grid: Grid
) -> np.ndarray:
    """Return the probabilities that say, near the boundaries that the model drew, how often they are right.

    Args:
        regions: Probabilities as the network gave them, shape ``(R, D, H, W)``.
        mask: The labels that were drawn from them, ``(D, H, W)``.
        contract: The label contract.
        temperatures: By region; empty if the model was not calibrated.
        grid: Of both.
    """
    if not temperatures:
        return regions
    bands = np.stack([near_boundary(region, grid) for region in regions_of(mask, contract)])
    found = np.array(regions, dtype=np.float32)
    if contract.outputs == EXCLUSIVE:
        band = bands.any(axis=0)
        found[:, band] = with_temperature(regions[:, band], contract, temperatures)
        return found
    for index, (region, band) in enumerate(zip(contract.regions, bands, strict=True)):
        if region.name in temperatures:
            found[index, band] = warmed(regions[index, band], temperatures[region.name])
    return found
