"""Which windows a network takes."""

from __future__ import annotations

from torch import nn

from ..errors import InputError

Extents = tuple[int, int, int]


def per_axis(value: int | tuple[int, ...]) -> Extents:
    """Return a network's ``divisor`` or ``smallest``, one number or one an axis, as one an axis."""
    return (value, value, value) if isinstance(value, int) else tuple(value)


def check_patch(network: nn.Module, patch: Extents) -> None:
    """Refuse a window that the network cannot take.

    Args:
        network: A network of volumes, or a 2D one within
            :class:`~convnextseg_engine.networks.slicewise.SliceWise`. What counts is its ``divisor`` and ``smallest``,
            and ``norm_over_space``: whether a norm needs more than one voxel on the coarsest level.
        patch: Extents of the window, D, H, W.

    Raises:
        InputError: With the extents that would do.
    """
    divisor = per_axis(getattr(network, "divisor", 1))
    smallest = per_axis(getattr(network, "smallest", 1))
    nearest = tuple(
        max(-(-low // step), round(extent / step), 1) * step
        for extent, step, low in zip(patch, divisor, smallest, strict=True)
    )
    single = getattr(network, "norm_over_space", False) and nearest == divisor
    if nearest == tuple(patch) and not single:
        return
    reason = f"Its extents must be divisible by {_shown(divisor)} and at least {_shown(smallest)}"
    raise InputError(
        f"The network cannot take a window of {_shown(patch)} voxels.",
        reason=f"{reason}, and more than that along one axis." if single else f"{reason}.",
        remedy=f"Choose {_shown(tuple(n * (2 if single and n > 1 else 1) for n in nearest))}, for example.",
        code="bad-patch",
    )


def smallest_patch(network: nn.Module) -> Extents:
    """Return extents D, H, W of a small window that the network can take; see :func:`check_patch`."""
    divisor = per_axis(getattr(network, "divisor", 1))
    smallest = per_axis(getattr(network, "smallest", 1))
    least = [-(-low // step) * step for step, low in zip(divisor, smallest, strict=True)]
    if getattr(network, "norm_over_space", False):
        least = [max(n, 2 * step) if step > 1 else n for n, step in zip(least, divisor, strict=True)]
    return least[0], least[1], least[2]


def _shown(extents: Extents) -> str:
    return " × ".join(str(n) for n in extents) if len(set(extents)) > 1 else str(extents[0])
