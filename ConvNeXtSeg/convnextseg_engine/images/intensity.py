"""Intensity normalisation, the same for training and inference."""

from __future__ import annotations

import numpy as np

# MR intensities have no unit and real files have outliers (one BraTS 2021 case reaches 32767 in every sequence),
# so the statistics are taken between these percentiles of the foreground.
_CLIP_PERCENTILES = (0.5, 99.5)


def zscore_foreground(array: np.ndarray) -> np.ndarray:
    """Return ``(array - mean) / deviation`` over the non-zero voxels; the background stays 0.

    Args:
        array: Intensities of one channel, shape ``(D, H, W)``; 0 is background. NaN and infinities count as background.

    Returns:
        float32 array of the same shape; all zeros if the channel is empty or constant.
    """
    finite = np.nan_to_num(np.asarray(array, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    foreground = finite != 0
    result = np.zeros(finite.shape, dtype=np.float32)
    values = finite[foreground]
    if values.size < 2:
        return result
    low, high = np.percentile(values, _CLIP_PERCENTILES)
    values = np.clip(values, low, high)
    deviation = float(values.std())
    if deviation < 1e-8:
        return result
    result[foreground] = (values - float(values.mean())) / deviation
    return result
