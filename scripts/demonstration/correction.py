"""A simulated person who corrects the worst slices of a mask."""

from __future__ import annotations

import numpy as np

SLICES = 5


def corrected(mask: np.ndarray, truth: np.ndarray, slices: int = SLICES) -> tuple[np.ndarray, list[int]]:
    """Return the mask with its worst axial slices replaced by the truth.

    Args:
        mask: What the model marked, shape ``(D, H, W)``.
        truth: What is right, same shape.
        slices: How many slices (along the first axis) are corrected; those with the most wrong voxels.

    Returns:
        The corrected mask, and the indices of the slices that changed, in order; fewer if fewer are wrong.
    """
    wrong = np.count_nonzero(mask != truth, axis=(1, 2))
    worst = [int(index) for index in np.argsort(-wrong, kind="stable")[:slices] if wrong[index]]
    result = mask.copy()
    result[worst] = truth[worst]
    return result, sorted(worst)
