"""The network that some weights nearly belong to, and how they differ from it: for the error that refuses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..networks.registry import NETWORKS, name_of
from .fitting import INPUTS, OPTIONS, OUTPUTS, Fit, Shapes, described_sizes, nearest_fit, shapes_of

# Networks with less than half of their weights in common are no near relatives; to name one would mislead.
_LEAST_IN_COMMON = 0.5
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Difference:
    """How weights differ from those of a network.

    Attributes:
        fit: The network, with the width, kernel, inputs and outputs that most of the weights show.
        missing: Names of weights that the network has and the file lacks.
        extra: Names that the network does not have.
        misshapen: Name to the shape in the file and the network's.
    """

    fit: Fit
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def count(self) -> int:
        """How many weights differ."""
        return len(self.missing) + len(self.extra) + len(self.misshapen)

    def told(self) -> str:
        """Return the network and the first few differences as sentences."""
        network = self.fit.network
        added = " with response normalisation (GRN)" if network.get("grn") else ""
        added += " in MONAI's shape" if network.get("shape") == "monai" else ""
        name = f"{name_of(network)}{added} ({self.fit.inputs} channels in, {self.fit.outputs} out)"
        wrong = [f"{key} ({_shown(here)} instead of {_shown(there)})" for key, (here, there) in self.misshapen.items()]
        parts = [
            f"{text} {', '.join(keys[:_MOST_SHOWN])}"
            + (f" and {more} more" if (more := len(keys) - _MOST_SHOWN) > 0 else "")
            for text, keys in (("it lacks", self.missing), ("it has besides", self.extra), ("of other shape:", wrong))
            if keys
        ]
        return f"The closest network is {name}, from which the file differs: {'; '.join(parts)}."


def closest(found: Shapes, network: dict[str, Any] | None = None) -> Difference | None:
    """Return the network from which some weights differ least, or None if there is none that is near.

    Args:
        found: Name to shape, without heads of deep supervision.
        network: What ``networks.registry.build`` takes, if only this one (of any width and kernel) is in question.
    """
    if network is not None:
        return _nearest([network], found, least=0.0)
    # Building every family takes seconds, so those that the weights do not look like wait for the last.
    akin = [family for family in NETWORKS.values() if family.variants and family.landmark in found]
    rest = [family for family in NETWORKS.values() if family.variants and family not in akin]
    for families in (akin, rest):
        candidates = [
            size | option
            for family in families
            for size in described_sizes(family, found)
            for option in OPTIONS
            if all(family.takes(argument) for argument in option)
        ]
        near = _nearest(candidates, found, _LEAST_IN_COMMON)
        if near is not None:
            return near
    return None


def _nearest(candidates: list[dict[str, Any]], found: Shapes, least: float) -> Difference | None:
    # By their names first: only few of the candidates then need to be built with other widths and kernels.
    unlike = {number: _unlike(candidate, found) for number, candidate in enumerate(candidates)}
    fewest = min(unlike.values(), default=0)
    differences = [
        difference
        for number, candidate in enumerate(candidates)
        if unlike[number] == fewest
        and (fit := nearest_fit(candidate, found)) is not None
        and (difference := _difference(fit, found)) is not None
        and _in_common(difference, found) > least
    ]
    return min(
        differences, key=lambda difference: difference.count, default=None
    )  # of equals the simplest, listed first


def _unlike(candidate: dict[str, Any], found: Shapes) -> int:
    expected = shapes_of(candidate, INPUTS, OUTPUTS)
    return len(found) + 1 if expected is None else len(set(expected) ^ set(found))


def _difference(fit: Fit, found: Shapes) -> Difference | None:
    expected = shapes_of(fit.network, fit.inputs, fit.outputs)
    if expected is None:
        return None
    return Difference(
        fit,
        tuple(key for key in expected if key not in found),
        tuple(key for key in found if key not in expected),
        {key: (found[key], shape) for key, shape in expected.items() if key in found and found[key] != shape},
    )


def _in_common(difference: Difference, found: Shapes) -> float:
    shared = len(found) - len(difference.extra)
    return shared / (len(found) + len(difference.missing))


def _shown(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
