"""What the tissues look like on T1, T1c, T2 and FLAIR, and what a scanner adds to it.

The tables hold signals in units of the deviation within a brain, around its mean. They were set so that the z-scores
of the finished images (``images.intensity.zscore_foreground``) cover those of the 8 training cases of BraTS 2021 in the
shared split (Baid et al. 2021, arXiv:2107.02314), per expert label, and per intensity class in healthy tissue; noise,
blur and the share of each tissue move them a little. docs/synthetic-brains.md shows both side by side, and a test holds
the generator to it.
"""

from __future__ import annotations

import numpy as np

from .anatomy import Tissue
from .chance import Chance

CHANNELS = ("T1", "T1c", "T2", "FLAIR")

# Lowest and highest mean of a case, in the order of CHANNELS.
_TISSUE_Z = {
    Tissue.CSF: ((-1.90, -1.40), (-2.10, -0.90), (2.60, 4.40), (-2.10, -0.70)),
    Tissue.GREY: ((-0.15, 0.10), (-0.20, 0.20), (-0.20, 0.10), (-0.15, 0.25)),
    Tissue.WHITE: ((0.90, 1.15), (0.30, 1.00), (-0.68, -0.25), (-0.28, 0.30)),
    Tissue.DEEP_GREY: ((0.30, 0.70), (0.10, 0.50), (-0.55, -0.10), (-0.20, 0.20)),
    Tissue.VESSEL: ((-1.20, 0.20), (2.00, 6.00), (-1.50, 0.50), (-1.20, 0.20)),
    Tissue.AGED_WHITE: ((0.40, 0.90), (0.10, 0.60), (0.10, 0.90), (0.60, 1.50)),
}
_LABEL_Z = {
    "core": ((-0.55, 0.65), (-0.75, 0.60), (-0.10, 4.80), (-0.60, 2.50)),
    "edema": ((0.05, 0.66), (-0.35, 0.55), (0.40, 1.60), (0.50, 1.35)),
    "enhancing": ((-0.10, 0.72), (1.00, 3.80), (0.60, 1.60), (0.10, 1.80)),
}
# Deviation of the z-score within a label of one case. Measured on the expert labels it is 0.2–0.7 in the core, 0.4–0.8
# in the oedema and 0.3–1.0 in the enhancing rim; noise, bias field and blurred borders, which
# are modelled apart, already make about half of that.
_TEXTURE_Z = {"core": (0.10, 0.40), "edema": (0.12, 0.40), "enhancing": (0.20, 0.70), "healthy": (0.03, 0.12)}
# Deviation ÷ mean of the raw intensities within the brain, per channel, measured likewise.
_RELATIVE_DEVIATION = ((0.20, 0.40), (0.18, 0.44), (0.29, 0.60), (0.21, 0.46))
# Mean raw intensity: 122 to 10246 in the 8 cases, most between 300 and 2000.
_RAW_MEAN = (150.0, 2200.0)


def scan(
    chance: Chance, tissue: np.ndarray, labels: dict[str, np.ndarray], cell_voxels: float
) -> dict[str, np.ndarray]:
    """Return the four sequences of a brain with a tumour.

    Args:
        chance: Source of randomness.
        tissue: :class:`Tissue` values, shape ``(D, H, W)``.
        labels: Boolean arrays of the same shape, by label name.
        cell_voxels: Width of the texture within a tissue, in voxels.

    Returns:
        Channel name to int16 array ``(D, H, W)``; 0 outside the brain and at least 1 inside it.
    """
    # One draw decides how fluid-filled the core is: what is bright on T2 there is dark on T1 at the same time.
    fluid = chance.between(0, 1)
    return {
        name: _sequence(chance, index, tissue, labels, fluid, cell_voxels) for index, name in enumerate(CHANNELS)
    }  # fmt: skip


def _sequence(chance, channel, tissue, labels, fluid, cell_voxels) -> np.ndarray:
    """One sequence, int16 ``(D, H, W)``."""
    shape = tissue.shape
    means = np.zeros(len(Tissue), dtype=np.float32)
    for kind, ranges in _TISSUE_Z.items():
        means[kind] = chance.between(*ranges[channel])
    z = means[tissue]
    texture = chance.smooth(shape, (cell_voxels,) * 3)
    amount = np.full(shape, chance.between(*_TEXTURE_Z["healthy"]), dtype=np.float32)
    for name, inside in labels.items():
        low, high = _LABEL_Z[name][channel]
        mean = chance.between(low, high)
        if name == "core":
            wetter = low + (high - low) * (fluid if channel >= 2 else 1 - fluid)
            mean = 0.2 * mean + 0.8 * wetter
        z[inside] = mean
        amount[inside] = chance.between(*_TEXTURE_Z[name])
    z = z + texture * amount
    spread = chance.between(*_RELATIVE_DEVIATION[channel])
    brain = tissue != Tissue.OUTSIDE
    signal = np.where(brain, np.clip(1 + np.float32(spread) * z, 0.02, None), 0)
    for axis in range(3):
        signal = _blurred(signal, axis, chance.between(0.08, 0.22))
    bias = 1 + np.float32(chance.between(0.02, 0.10)) * chance.smooth(shape, [n * 0.45 for n in shape])
    noise = np.float32(chance.between(0.03, 0.16) * spread)
    real = signal * np.clip(bias, 0.5, 1.5) + noise * chance.bell(shape)
    magnitude = np.sqrt(real**2 + (noise * chance.bell(shape)) ** 2)  # Rician: Gudbjartsson and Patz 1995
    raw = magnitude * np.float32(chance.between(*_RAW_MEAN))
    return np.where(brain, np.clip(np.rint(raw), 1, 32767), 0).astype(np.int16)


def _blurred(signal: np.ndarray, axis: int, side: float) -> np.ndarray:
    """Mix each voxel with its two neighbours along ``axis`` (weight ``side`` each), as partial volume does."""
    padded = np.pad(signal, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    n = signal.shape[axis]
    before, after = np.take(padded, range(n), axis), np.take(padded, range(2, n + 2), axis)
    return signal * np.float32(1 - 2 * side) + (before + after) * np.float32(side)
