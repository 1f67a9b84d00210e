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
            :class:`~convnextseg_engine.networks.slicewise.SliceWise`; its ``divisor`` and ``smallest`` count.
        patch: Extents of the window, D, H, W.

    Raises:
        InputError: With the extents that would do.
    """
    divisor = per_axis(getattr(network, "divisor", 1))
    smallest = per_axis(getattr(network, "smallest", 1))
    wanted = tuple(
        max(-(-low // step), round(extent / step), 1) * step
        for extent, step, low in zip(patch, divisor, smallest, strict=True)
    )
    fits = all(n % step == 0 and n >= low for n, step, low in zip(patch, divisor, smallest, strict=True))
    if not fits:
        raise InputError(
            f"The network cannot take a window of {_shown(patch)} voxels.",
            reason=f"Its extents must be divisible by {_shown(divisor)} and at least {_shown(smallest)}.",
            remedy=f"Choose {_shown(wanted)}, for example.",
            code="bad-patch",
        )


def _shown(extents: Extents) -> str:
    return " × ".join(str(n) for n in extents) if len(set(extents)) > 1 else str(extents[0])
