"""Settings of inference that belong to a model: the entry ``inference`` of ``metadata.json``."""

from __future__ import annotations

from numbers import Real
from typing import Any

# float32 is ours; the others add windows up as nnU-Net does, see ``inference/nnunet_arithmetic.py``.
ARITHMETICS = ("float32", "nnunet-v2", "nnunet-v1")
_LARGEST_OVERLAP = 0.9  # ten windows over each voxel along each axis; more only costs time


def problem_with(settings: dict[str, Any]) -> str:
    """Return what is wrong with the settings, as part of a sentence; empty if nothing is.

    Args:
        settings: ``overlap`` (share of a window, 0 to 0.9), ``mirror_axes`` (list of 0, 1, 2 for D, H, W),
            ``arithmetic``, ``smallest_component_ml`` (millilitres) and ``temperature`` (region name to divisor of its
            logit); each may be absent. An unknown one is wrong: what it asks for would silently not happen.
    """
    for name, value in settings.items():
        if name not in _CHECKS:
            return f"“inference” holds “{name}”, which this version does not know"
        rule = broken_rule(name, value)
        if rule:
            return f"“inference” gives {name} as {value!r}; it must be {rule}"
    return ""


def broken_rule(name: str, value: Any) -> str:
    """Return what a setting must be, for example ``"a number of millilitres"``, if ``value`` is not; else ``""``."""
    check, rule = _CHECKS[name]
    return "" if check(value) else rule


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= _LARGEST_OVERLAP


def _are_axes(value: Any) -> bool:
    listed = isinstance(value, list | tuple) and all(isinstance(axis, int) for axis in value)
    return listed and len(set(value)) == len(value) and set(value) <= {0, 1, 2}


def _is_volume(value: Any) -> bool:
    return _is_number(value) and 0 <= value < float("inf")


def _are_temperatures(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(v) and 0 < v < float("inf") for v in value.values())


_CHECKS = {
    "overlap": (_is_share, f"a share between 0 and {_LARGEST_OVERLAP}"),
    "mirror_axes": (_are_axes, "a list of 0, 1 and 2, each at most once"),
    "arithmetic": (lambda value: value in ARITHMETICS, f"one of {', '.join(ARITHMETICS)}"),
    "smallest_component_ml": (_is_volume, "a number of millilitres"),
    "temperature": (_are_temperatures, "a positive number for each region"),
}
