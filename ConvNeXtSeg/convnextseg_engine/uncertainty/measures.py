"""Measures of doubt at each voxel."""

from __future__ import annotations

import numpy as np


def entropy(labels: np.ndarray) -> np.ndarray:
    """Return the entropy of label probabilities, from 0 (sure) to 1 (all labels equally probable).

    Args:
        labels: Probabilities of background and labels, shape ``(1 + L, D, H, W)``.

    Returns:
        float32, shape ``(D, H, W)``.
    """
    found = np.zeros(labels.shape[1:], dtype=np.float32)
    for probability in labels:
        found -= probability * np.log(np.maximum(probability, 1e-12))
    return found / np.float32(np.log(len(labels)))


def expected_error(labels: np.ndarray) -> np.ndarray:
    """Return how probable it is that the most probable label is wrong, float32, shape ``(D, H, W)``.

    Args:
        labels: Probabilities of background and labels, shape ``(1 + L, D, H, W)``; the better they are calibrated, the
            more this says about real errors.
    """
    return 1 - labels.max(axis=0)
