"""Leaving out small islands: a speck that a network marks is more often a mistake than a lesion.

Only where a model's metadata or the user says below which volume; some models are made to find specks.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from ..labels.contract import ORDERED, LabelContract


def without_small_components(
    mask: np.ndarray, contract: LabelContract, voxel_ml: float, smallest_ml: float
) -> tuple[np.ndarray, int]:
    """Return a mask without small islands, and how many were left out.

    Each region is looked at by itself, from the first to the last. An island is a set of its voxels that touch each
    other by a face, an edge or a corner (26 neighbours). The voxels of one that is smaller than ``smallest_ml`` get
    what lies around it by the contract: the label of the next larger region, or nothing.

    Args:
        mask: Labels by the contract's values, uint8, ``(D, H, W)``; it stays as it is.
        contract: What the values mean.
        voxel_ml: Volume of a voxel in millilitres.
        smallest_ml: Islands of at least this volume, in millilitres, stay.
    """
    left_out = 0
    box = _box(mask)
    if box is None or smallest_ml <= voxel_ml:
        return mask, 0
    mask = mask.copy()
    inside = mask[box]
    for index, region in enumerate(contract.regions):
        values = [contract.label(name).value for name in region.labels]
        islands = sitk.GetArrayFromImage(
            sitk.ConnectedComponent(sitk.GetImageFromArray(np.isin(inside, values).astype(np.uint8)), True)
        )
        # A margin for volumes such as 0.1 mL, which 100 voxels of 1 mm³ are and binary numbers are not.
        small = np.bincount(islands.ravel()) * voxel_ml < smallest_ml * (1 - 1e-9)
        small[0] = False
        if small.any():
            left_out += int(small.sum())
            inside[small[islands]] = _around(contract, index)
    return mask, left_out


def _around(contract: LabelContract, index: int) -> int:
    """Return the value of what surrounds a region: the smallest of the regions before it that holds it, or 0."""
    region = contract.regions[index]
    for outer in reversed(contract.regions[:index]):
        if set(region.labels) < set(outer.labels):
            if contract.outputs == ORDERED:
                return contract.label(outer.writes).value
            (own,) = set(outer.labels) - set(region.labels)
            return contract.label(own).value
    return 0


def _box(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
    """Return the box around what is marked, or None; the search need not look at the rest of the volume."""
    if not mask.any():
        return None
    hits = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    return tuple(slice(int(hit[0]), int(hit[-1]) + 1) for hit in hits)
