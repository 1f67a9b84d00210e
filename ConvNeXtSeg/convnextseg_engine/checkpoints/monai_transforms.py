"""What a MONAI bundle's transforms say about geometry, intensities and outputs, read as data.

A transform whose arguments would have to be evaluated says nothing; what is then missing, the user is asked.
"""

from __future__ import annotations

import re
from typing import Any

from ..images.intensity import IntensityStep
from ..images.resample import is_orientation
from .monai_config import NotPlain, PlainConfig

_LETTERS = "LPS"
_OPPOSITE = str.maketrans("RAI", "LPS")


class Transforms:
    """The transforms of one list.

    Args:
        config: The configuration that holds them.
        name: Of the list, for example ``"preprocessing"``.
        channels: How many channels the images have.
    """

    def __init__(self, config: PlainConfig, name: str, channels: int):
        self._channels = channels
        self._listed = []
        for part in config.transforms(name):
            # "monai.transforms.Spacingd", "SpacingD" and "SpacingDict" are the same.
            kind = re.sub(r"(d|D|Dict)$", "", part["_target_"].rpartition(".")[2])
            try:
                self._listed.append((kind, config.plain_part(part, f"{name}#{kind}")))
            except NotPlain:
                self._listed.append((kind, None))

    def axes(self) -> str | None:
        """Return towards what the axes of the arrays point, such as ``"RAS"``."""
        arguments = self._arguments("Orientation") or {}
        axes = arguments.get("axcodes")
        return axes if is_orientation(axes) else None

    def spacing(self, axes: str) -> tuple[float, float, float] | None:
        """Return millimetres along L, P, S."""
        pixdim = (self._arguments("Spacing") or {}).get("pixdim")
        if isinstance(pixdim, int | float) and not isinstance(pixdim, bool):
            pixdim = [pixdim] * 3
        if not isinstance(pixdim, list) or len(pixdim) != 3 or not all(_is_positive(value) for value in pixdim):
            return None
        by_letter = dict(zip(axes.translate(_OPPOSITE), pixdim, strict=True))
        first, second, third = (float(by_letter[letter]) for letter in _LETTERS)
        return first, second, third

    def intensity(self) -> list[IntensityStep] | None:
        """Return the intensity steps, or None if there are none or one of them is not understood."""
        steps = []
        for kind, arguments in self._listed:
            if kind in _STEPS:
                steps.append(_STEPS[kind](arguments, self._channels) if arguments else None)
            elif re.search("Intensit|Histogram|Clip", kind):
                steps.append(None)
        return None if not steps or None in steps else steps

    def activation(self) -> str | None:
        """Return ``"sigmoid"`` or ``"softmax"``, if it is said what becomes of the outputs."""
        arguments = self._arguments("Activations") or {}
        return next((name for name in ("sigmoid", "softmax") if arguments.get(name) is True), None)

    def _arguments(self, kind: str) -> dict[str, Any] | None:
        found = [arguments for listed, arguments in self._listed if listed == kind]
        return found[0] if len(found) == 1 else None


def _normalize(arguments: dict[str, Any], channels: int) -> IntensityStep | None:
    if not set(arguments) <= {"_target_", "keys", "nonzero", "channel_wise", "dtype", "allow_missing_keys"}:
        return None  # with a mean or deviation of its own
    if channels > 1 and arguments.get("channel_wise") is not True:
        return None  # statistics over all channels together
    return IntensityStep("zscore-nonzero" if arguments.get("nonzero") is True else "zscore-image")


def _range(arguments: dict[str, Any], channels: int) -> IntensityStep | None:
    return _scaled("range", arguments, ("a_min", "a_max"))


def _percentiles(arguments: dict[str, Any], channels: int) -> IntensityStep | None:
    if arguments.get("relative") or (channels > 1 and arguments.get("channel_wise") is not True):
        return None
    return _scaled("percentiles", arguments, ("lower", "upper"))


def _scale(arguments: dict[str, Any], channels: int) -> IntensityStep | None:
    if arguments.get("factor") is not None or (channels > 1 and arguments.get("channel_wise") is not True):
        return None
    target = (arguments.get("minv", 0.0), arguments.get("maxv", 1.0))
    return IntensityStep("percentiles", (0.0, 100.0), target) if _is_rising(target) else None


def _scaled(scheme: str, arguments: dict[str, Any], names: tuple[str, str]) -> IntensityStep | None:
    source = tuple(arguments.get(name) for name in names)
    target = (arguments.get("b_min"), arguments.get("b_max"))
    if not _is_rising(source) or not _is_rising(target):
        return None
    return IntensityStep(scheme, source, target, bool(arguments.get("clip", False)))


_STEPS = {
    "NormalizeIntensity": _normalize,
    "ScaleIntensityRange": _range,
    "ScaleIntensityRangePercentiles": _percentiles,
    "ScaleIntensity": _scale,
}


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_rising(values: tuple[Any, ...]) -> bool:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numbers and values[0] < values[1]
