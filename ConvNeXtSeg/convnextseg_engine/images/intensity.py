"""Intensity normalisation, the same for training and inference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..errors import InputError
from .traces import without_traces

# MR intensities have no unit and real files have outliers (one BraTS 2021 case reaches 32767 in every sequence),
# so the statistics are taken between these percentiles of the foreground.
_CLIP_PERCENTILES = (0.5, 99.5)
# A constant image that was interpolated varies by the rounding of float32.
_CONSTANT = 1e-6


def zscore_foreground(array: np.ndarray) -> np.ndarray:
    """Return ``(array - mean) / deviation`` over the foreground; the background stays 0.

    Args:
        array: Intensities of one channel, shape ``(D, H, W)``; 0 is background, and so is the faint rim that
            interpolation leaves around it. NaN and infinities count as background.

    Returns:
        float32 array of the same shape; all zeros if the channel is empty or constant.
    """
    finite = without_traces(np.nan_to_num(np.asarray(array, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0))
    foreground = finite != 0
    result = np.zeros(finite.shape, dtype=np.float32)
    values = finite[foreground]
    if values.size < 2:
        return result
    low, high = np.percentile(values, _CLIP_PERCENTILES)
    # In double precision: intensities have any unit, and the square of an ADC in m²/s is below the smallest float32.
    values = np.clip(values, low, high).astype(np.float64)
    deviation = float(values.std())
    if deviation <= _CONSTANT * max(abs(low), abs(high)):
        return result
    result[foreground] = (values - float(values.mean())) / deviation
    return result


def zscore_nonzero(array: np.ndarray) -> np.ndarray:
    """Return ``(array - mean) / deviation`` over the non-zero voxels, without clipping; the background stays 0."""
    return _zscore(array, array != 0)


def zscore_image(array: np.ndarray) -> np.ndarray:
    """Return ``(array - mean) / deviation`` over all voxels."""
    return _zscore(array, np.ones(array.shape, dtype=bool))


def to_range(
    array: np.ndarray, source: tuple[float, float], target: tuple[float, float], clip: bool
) -> np.ndarray:  # fmt: skip
    """Map ``source`` linearly onto ``target``; with ``clip`` what lies outside becomes the nearer end of ``target``."""
    low, high = source
    scaled = (array - low) / (high - low) if high > low else array - low
    scaled = scaled * (target[1] - target[0]) + target[0]
    return (np.clip(scaled, *target) if clip else scaled).astype(np.float32)


def percentiles_to_range(
    array: np.ndarray, source: tuple[float, float], target: tuple[float, float], clip: bool
) -> np.ndarray:  # fmt: skip
    """As :func:`to_range`, from the intensities at two percentiles of all voxels."""
    low, high = np.percentile(array, source)
    return to_range(array, (float(low), float(high)), target, clip)


@dataclass(frozen=True)
class IntensityStep:
    """One step of an intensity scheme.

    Attributes:
        scheme: ``"zscore-foreground"`` (ours), ``"zscore-nonzero"``, ``"zscore-image"``, ``"range"``, ``"percentiles"``
            or ``"none"``.
        source: Intensities, or percentiles, that ``target`` stands for (``range``, ``percentiles``).
        target: What they become.
        clip: Whether what lies outside becomes the nearer end of ``target``.
    """

    scheme: str
    source: tuple[float, float] = (0.0, 1.0)
    target: tuple[float, float] = (0.0, 1.0)
    clip: bool = False

    def apply(self, array: np.ndarray) -> np.ndarray:
        """Return one channel, shape ``(D, H, W)``, after this step; float32."""
        if self.scheme in _SIMPLE:
            return _SIMPLE[self.scheme](array)
        function = to_range if self.scheme == "range" else percentiles_to_range
        return function(array, self.source, self.target, self.clip)

    @property
    def of_foreground(self) -> bool:
        """Whether the background neither counts nor changes, so that cropping before or after makes no difference."""
        return self.scheme in ("zscore-foreground", "zscore-nonzero", "none")

    def to_dict(self) -> dict[str, Any]:
        """Return what ``metadata.json`` holds."""
        ranges = {"from": list(self.source), "to": list(self.target), "clip": self.clip}
        return {"scheme": self.scheme} | (ranges if self.scheme in _WITH_RANGES else {})


# The schemes that need no figures, by which a model's ``intensity`` may name them.
_SIMPLE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zscore-foreground": zscore_foreground,
    "zscore-nonzero": zscore_nonzero,
    "zscore-image": zscore_image,
    "none": lambda array: array.astype(np.float32),
}
_WITH_RANGES = ("range", "percentiles")
SIMPLE_SCHEMES = tuple(_SIMPLE)
STEPS = "steps"  # the scheme of a model whose ``preparation`` lists its steps


def intensity_steps(intensity: str, listed: Sequence[Any] = ()) -> tuple[IntensityStep, ...]:
    """Return the steps of a model's intensity scheme.

    Args:
        intensity: A simple scheme, or ``"steps"``.
        listed: With ``"steps"``: what :meth:`IntensityStep.to_dict` gives, one entry a step.

    Raises:
        InputError: If a scheme is unknown or lacks its figures.
    """
    if intensity in _SIMPLE:
        return (IntensityStep(intensity),)
    if intensity == STEPS and isinstance(listed, list | tuple) and listed:
        return tuple(_step(entry) for entry in listed)
    raise _unknown(intensity)


def _step(entry: Any) -> IntensityStep:
    if not isinstance(entry, dict) or entry.get("scheme") not in (*_SIMPLE, *_WITH_RANGES):
        raise _unknown(str(entry.get("scheme") if isinstance(entry, dict) else entry))
    if entry["scheme"] in _SIMPLE:
        return IntensityStep(entry["scheme"])
    source, target = entry.get("from"), entry.get("to")
    if not (_is_range(source) and _is_range(target) and isinstance(entry.get("clip"), bool)):
        raise _unknown(f"{entry['scheme']} from {source} to {target}")
    if entry["scheme"] == "percentiles" and not 0 <= source[0] < source[1] <= 100:
        raise _unknown(f"percentiles from {source[0]} to {source[1]}")
    return IntensityStep(entry["scheme"], tuple(source), tuple(target), entry["clip"])


def _is_range(values: Any) -> bool:
    if not isinstance(values, list | tuple) or len(values) != 2:
        return False
    return all(isinstance(v, Real) and not isinstance(v, bool) for v in values) and -np.inf < values[0] < values[1]


def _zscore(array: np.ndarray, where: np.ndarray) -> np.ndarray:
    finite = np.nan_to_num(np.asarray(array, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    values = finite[where]
    result = np.zeros(finite.shape, dtype=np.float32)
    if values.size:
        deviation = float(values.std())
        result[where] = (values - float(values.mean())) / (deviation if deviation > 0 else 1.0)
    return result


def _unknown(intensity: str) -> InputError:
    return InputError(
        f"The intensity scheme “{intensity}” is not known to this version.",
        remedy="Update ConvNeXtSeg, or choose another model.",
        code="unknown-intensity",
    )
