"""What a model's ``preparation`` says, read and checked once.

Everything is in the order of the network's axes, that is after ``transpose_forward``.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

from ...errors import InputError

V1, V2 = SCHEMES = ("nnunet-v1", "nnunet-v2")
INTENSITIES = {
    V1: ("zscore", "ct", "ct-own-statistics", "none"),
    V2: ("zscore", "ct", "none", "rescale-0-1", "colour-0-1"),
}
_STATISTICS = ("low", "high", "mean", "deviation")
# Beyond it a coarse axis is interpolated apart from the two fine ones (nnU-Net's ANISO_THRESHOLD, both versions).
ANISOTROPY = 3.0


@dataclass(frozen=True)
class IntensityRule:
    """How one channel is normalised.

    Attributes:
        scheme: One of :data:`INTENSITIES`.
        masked: Whether statistics are taken of the non-zero region only (its holes filled).
        low: Intensities below are raised to it (CT schemes).
        high: Intensities above are lowered to it (CT schemes).
        mean: Of the training data (``"ct"``).
        deviation: Of the training data (``"ct"``).
    """

    scheme: str
    masked: bool = False
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True)
class ResamplingRule:
    """How arrays change their size.

    Attributes:
        order: Order of the splines: 0, 1 or 3.
        order_z: The same along a coarse axis that is interpolated apart.
        separate_z: Whether a coarse axis is interpolated apart; None: if the spacing's anisotropy says so.
        anisotropy: Ratio of largest to smallest spacing above which it says so.
    """

    order: int
    order_z: int = 0
    separate_z: bool | None = None
    anisotropy: float = ANISOTROPY


@dataclass(frozen=True)
class Preparation:
    """nnU-Net's preparation as a model states it.

    Attributes:
        scheme: ``"nnunet-v1"`` (resamples, then normalises) or ``"nnunet-v2"`` (normalises, then resamples).
        axes: Which array axis (D, H, W = 0, 1, 2) each axis of the network is: nnU-Net's ``transpose_forward``.
        spacing: Millimetres along the network's axes; None along the first for networks of slices, which keep it.
        intensities: One rule a channel.
        data: How images are resampled.
        outputs: How the network's outputs are resampled.
        orientation: Three letters to which images are turned first, such as ``"RAS"``; empty: as they are stored.
    """

    scheme: str
    axes: tuple[int, int, int]
    spacing: tuple[float | None, float, float]
    intensities: tuple[IntensityRule, ...]
    data: ResamplingRule
    outputs: ResamplingRule
    orientation: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what ``metadata.json`` holds as ``preparation``."""
        return {
            "scheme": self.scheme,
            "transpose_forward": list(self.axes),
            "spacing": list(self.spacing),
            "intensities": [_intensity_entry(rule) for rule in self.intensities],
            "resampling": {"data": _resampling_entry(self.data), "outputs": _resampling_entry(self.outputs)},
            "orientation": self.orientation,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], channels: int) -> Preparation:
        """Read and check ``preparation`` of a model with ``channels`` channels.

        Raises:
            InputError: If something is missing, unknown or impossible; the message names it.
        """
        try:
            return cls._read(data, channels)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"“{error.args[0]}” is missing" if isinstance(error, KeyError) else str(error)
            raise InputError(
                "The model does not say properly how its images are prepared.",
                reason=f"In “preparation” of its metadata.json: {reason}.",
                remedy="Import the model again, or take its folder from its source.",
                code="bad-preparation",
            ) from error

    @classmethod
    def _read(cls, data: dict[str, Any], channels: int) -> Preparation:
        scheme = data["scheme"]
        if scheme not in SCHEMES:
            raise ValueError(f"the scheme “{scheme}” is not known")
        axes = tuple(data["transpose_forward"])
        if sorted(axes) != [0, 1, 2]:
            raise ValueError(f"“transpose_forward” is {list(axes)}, which does not order three axes")
        spacing = tuple(data["spacing"])
        if len(spacing) != 3 or not all(_is_length(v) or (v is None and n == 0) for n, v in enumerate(spacing)):
            raise ValueError(f"“spacing” is {list(spacing)}, which are not three lengths in mm")
        intensities = tuple(_intensity(entry, scheme) for entry in data["intensities"])
        if len(intensities) != channels:
            raise ValueError(f"it has {len(intensities)} intensity schemes for {channels} channels")
        orientation = data.get("orientation", "")
        if orientation and not _is_orientation(orientation):
            raise ValueError(f"“orientation” is {orientation!r}, which is not one such as RAS")
        rules = data["resampling"]
        return cls(
            scheme, axes, spacing, intensities, _resampling(rules["data"]), _resampling(rules["outputs"]), orientation
        )


def _intensity(entry: dict[str, Any], scheme: str) -> IntensityRule:
    if entry["scheme"] not in INTENSITIES[scheme]:
        raise ValueError(f"the intensity scheme “{entry['scheme']}” is not known; {scheme} has {INTENSITIES[scheme]}")
    rule = IntensityRule(
        entry["scheme"], bool(entry.get("masked", False)),
        **{name: float(entry[name]) for name in _STATISTICS if name in entry},
    )  # fmt: skip
    missing = [name for name in _STATISTICS if rule.scheme.startswith("ct") and name not in entry]
    if missing:
        raise ValueError(f"a CT scheme lacks {', '.join(missing)}")
    return rule


def _intensity_entry(rule: IntensityRule) -> dict[str, Any]:
    entry: dict[str, Any] = {"scheme": rule.scheme, "masked": rule.masked}
    if rule.scheme.startswith("ct"):
        entry |= {name: getattr(rule, name) for name in _STATISTICS}
    return entry


def _resampling(entry: dict[str, Any]) -> ResamplingRule:
    orders = entry["order"], entry.get("order_z", 0)
    if any(isinstance(order, bool) or order not in range(6) for order in orders):
        raise ValueError(f"the resampling orders {orders} are not between 0 and 5")
    if entry.get("separate_z") not in (None, True, False):
        raise ValueError(f"“separate_z” is {entry['separate_z']!r}")
    return ResamplingRule(*orders, entry.get("separate_z"), float(entry.get("anisotropy", ANISOTROPY)))


def _resampling_entry(rule: ResamplingRule) -> dict[str, Any]:
    return {
        "order": rule.order,
        "order_z": rule.order_z,
        "separate_z": rule.separate_z,
        "anisotropy": rule.anisotropy,
    }


def _is_length(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < value < float("inf")


def _is_orientation(text: Any) -> bool:
    return isinstance(text, str) and sorted(text.translate(str.maketrans("RPI", "LAS"))) == sorted("LAS")
