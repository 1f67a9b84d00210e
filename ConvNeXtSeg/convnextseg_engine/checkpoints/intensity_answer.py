"""An intensity scheme as a person writes it: ``zscore-nonzero``, or ``range:-57,164,0,1`` with figures."""

from __future__ import annotations

from typing import Any

from ..errors import InputError
from ..images.intensity import SIMPLE_SCHEMES, STEPS, IntensityStep

FORMS = (*SIMPLE_SCHEMES, "range:FROM,TO,LOW,HIGH", "percentiles:FROM,TO,LOW,HIGH")


def intensity_from(text: str) -> tuple[str, dict[str, Any]]:
    """Return ``intensity`` and ``preparation`` of a model's metadata.

    Args:
        text: A simple scheme of ``images/intensity.py``, or ``range:`` or ``percentiles:`` with the two intensities (or
            percentiles) that become the two values after them; what lies outside is clipped.

    Raises:
        InputError: If it is neither.
    """
    name, _, figures = text.partition(":")
    if text in SIMPLE_SCHEMES:
        return text, {}
    try:
        low, high, new_low, new_high = (float(figure) for figure in figures.split(","))
    except ValueError:
        low = high = 0.0
    if name not in ("range", "percentiles") or not low < high or not new_low < new_high:
        raise InputError(
            f"“{text}” is no intensity scheme.",
            reason=f"There is {', '.join(FORMS)}.",
            remedy="Write one of these, with rising figures.",
            code="bad-arguments",
        )
    return from_steps([IntensityStep(name, (low, high), (new_low, new_high), clip=True)])


def from_steps(steps: list[IntensityStep]) -> tuple[str, dict[str, Any]]:
    """Return ``intensity`` and ``preparation`` of a model's metadata for these steps."""
    if len(steps) == 1 and steps[0].scheme in SIMPLE_SCHEMES:
        return steps[0].scheme, {}
    return STEPS, {"scheme": "anatomical", "intensity": [step.to_dict() for step in steps]}
