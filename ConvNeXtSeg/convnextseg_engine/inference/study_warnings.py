"""What the user should know about a result that the result itself does not show."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ..images.finite import not_finite_part
from ..images.prepare import InputSpec, PreparedInput
from ..images.study import Study
from ..preparing.skull import is_skull_stripped
from ..preparing.workflow import PreparedStudy

_WITH_SKULL = "The model is made for images whose skull has been removed; on others its result is not reliable."


def study_warnings(
    study: Study, spec: InputSpec, prepared: PreparedInput, skull_stripped: bool, volumes: bool = False
) -> list[str]:
    """Return what is odd about a study for a model, one sentence each.

    Args:
        study: As the user gave it.
        spec: What the network expects.
        prepared: What the network was given.
        skull_stripped: Whether the model is made for images without skull.
        volumes: Whether its network sees volumes, not slices.
    """
    found = []
    if volumes and min(study.reference_grid.size) == 1:
        found.append(f"{study.reference} is a single slice; the model is made for volumes and unreliable on it.")
    missing = missing_channels(spec, prepared)
    if missing:
        found.append(f"Not given: {', '.join(missing)}. The result is usually less accurate without.")
    for name in prepared.present:
        if not prepared.array[spec.channels.index(name)].any():
            found.append(_constant(name, study.reference))
    for first, second in itertools.combinations(prepared.present, 2):
        one, other = (prepared.array[spec.channels.index(name)] for name in (first, second))
        if one.any() and np.array_equal(one, other):
            found.append(f"{first} and {second} are the same image; check that each is assigned to its own channel.")
    unknown = [name for name in study.channels if name not in spec.channels]
    if unknown:
        found.append(f"The model does not use {', '.join(unknown)}.")
    if skull_stripped and not all(is_skull_stripped(study.channels[name]) for name in prepared.present):
        found.append(_WITH_SKULL)
    for name in prepared.present:
        part = not_finite_part(study.channels[name])
        if part:
            found.append(f"{_percent(part)} of the voxels of {name} are no usable numbers; they counted as background.")
    return found


def told_once(prepared: PreparedStudy, warnings: Sequence[str]) -> list[str]:
    """Return everything that is odd about a study, each thing once.

    What the preparation found comes first, because it also says what mends it; of what the run noticed by itself, that
    which was found already is left out.

    Args:
        prepared: What was done to the study before.
        warnings: The segmentation's, with those of :func:`study_warnings`.
    """
    said = {_WITH_SKULL} if any(finding.name == "skull" for finding in prepared.findings) else set()
    for finding in prepared.findings:
        if finding.name == "constant":
            said |= {_constant(name, prepared.study.reference) for name in finding.channels}
    return [*prepared.warnings, *(warning for warning in warnings if warning not in said)]


def _constant(name: str, reference: str) -> str:
    return f"{name} is the same everywhere where {reference} lies, so it counted as not given."


def missing_channels(spec: InputSpec, prepared: PreparedInput) -> tuple[str, ...]:
    """Return the channels that the network knows and was not given."""
    return tuple(name for name in spec.channels if name not in prepared.present)


def _percent(part: float) -> str:
    return "Less than 0.1 %" if part < 0.001 else f"{100 * part:.1f} %"
