"""What a training from scratch is to make, and what of it follows from the cases."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..images.grid import Grid
from ..labels.case import Case
from ..networks.extents import per_axis
from ..networks.registry import TRAINING_WISHES, build, named, supports

# Voxels are compared at a hundredth of a millimetre: a header's rounding is no other spacing.
_SPACING_DECIMALS = 2


@dataclass(frozen=True)
class NewModel:
    """A model that does not exist yet.

    Attributes:
        name: Of the model: lower-case letters, digits and hyphens.
        network: A name of the registry, such as ``"mednext-b-k5"``.
        spacing: Millimetres along L, P, S at which the network works; None: the median of the training cases.
        patch: Extent of its window along D, H, W, in voxels; None: the recipe's, or the network's default where the
            cases are not smaller.
        title: One line for the model list; None: one that names the network.
        skull_stripped: Whether the cases' images have the skull removed, as they will be expected later.
        encoder_weights: A ConvNeXt classifier's file for the encoder to start from; ``convnext-unet`` networks only.
        inflation: How its kernels become 3D; see ``networks/convnext_weights.py``.
        choices: Arguments of the network that differ from what its name stands for, for example
            ``{"norm": "instance"}``.
    """

    name: str
    network: str
    spacing: tuple[float, float, float] | None = None
    patch: tuple[int, int, int] | None = None
    title: str | None = None
    skull_stripped: bool = False
    encoder_weights: Path | None = None
    inflation: str = "centre"
    choices: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """A new model with nothing left open; what a run records of it.

    Attributes:
        name: Of the model.
        network_name: As the registry lists it.
        network: What ``networks.registry.build`` takes.
        channels: Channel names in network order.
        spacing: Millimetres along L, P, S.
        patch: Voxels along D, H, W.
        title: One line.
        skull_stripped: Whether the images have no skull.
        encoder_weights: Absolute path of the file to start from; empty if there is none.
        inflation: How its kernels become 3D.
    """

    name: str
    network_name: str
    network: dict[str, Any]
    channels: tuple[str, ...]
    spacing: tuple[float, float, float]
    patch: tuple[int, int, int]
    title: str
    skull_stripped: bool
    encoder_weights: str
    inflation: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Design:
        """Inverse of :meth:`to_dict`."""
        design = cls(**data)
        lists = ("channels", "spacing", "patch")
        return replace(design, **{name: tuple(getattr(design, name)) for name in lists})


def designed(new: NewModel, cases: list[Case], recipe_patch: tuple[int, int, int] | None) -> Design:
    """Return ``new`` with what it leaves open taken from the training cases.

    Args:
        new: What was asked for.
        cases: The cases to learn from, at least one.
        recipe_patch: The recipe's patch, which counts if ``new`` has none.

    Raises:
        InputError: If there is no such network, or it has no encoder for the weights that are given.
    """
    info = named(new.network)
    if new.encoder_weights is not None and info.network["name"] != "convnext-unet":
        raise InputError(
            f"The network {info.name} cannot start from a classifier's weights.",
            reason="Only a U-Net with a ConvNeXt encoder can.",
            remedy="Choose convnext-unet-t, convnext-unet-s or convnext-unet-b, or leave the encoder weights out.",
            code="no-encoder",
        )
    for choice in new.choices:
        if choice == "dim" or choice in TRAINING_WISHES or not supports(info.network, choice):
            raise InputError(
                f"The network {info.name} has no “{choice}” to choose.",
                reason=f"“convnextseg networks show {info.name}” tells what it is made of.",
                remedy="Leave it out, or choose another network.",
                code="unknown-choice",
            )
    if new.choices:
        try:
            with torch.device("meta"):  # takes no memory
                build(info.network | new.choices, 1, 1)
        except InputError as error:
            raise InputError(
                f"The network {info.name} cannot be built with the choices that --choose makes.",
                reason=error.reason,
                remedy=f"Correct --choose {' --choose '.join(f'{key}={value}' for key, value in new.choices.items())}, "
                "or leave it out.",
                code="bad-choice",
            ) from error
    spacing = new.spacing or median_spacing([case.grid for case in cases])
    smallest, divisor = (_in_3d(value, info.dim) for value in (info.smallest, info.divisor))
    default = _no_larger_than_the_cases(info.patch, [case.grid for case in cases], spacing, divisor, smallest)
    return Design(
        name=new.name,
        network_name=info.name,
        network=info.network | new.choices,
        channels=tuple(dict.fromkeys(name for case in cases for name in case.channels)),
        spacing=spacing,
        patch=new.patch or recipe_patch or default,
        title=new.title or f"{info.title} ({info.name}), trained from scratch",
        skull_stripped=new.skull_stripped,
        encoder_weights=str(new.encoder_weights.absolute()) if new.encoder_weights is not None else "",
        inflation=new.inflation,
    )


def median_spacing(grids: list[Grid]) -> tuple[float, float, float]:
    """Return the median spacing of images along L, P and S in mm, each axis of an image counting where it points."""
    rows = []
    for grid in grids:
        towards = np.abs(np.reshape(grid.direction, (3, 3)))  # rows L, P, S; columns I, J, K
        rows.append([grid.spacing[int(np.argmax(row))] for row in towards])
    return tuple(round(float(value), _SPACING_DECIMALS) for value in np.median(rows, axis=0))


def _in_3d(value: int, dim: int) -> tuple[int, int, int]:
    """Return a limit of a network as one an axis; by default a 2D network sees axial slices."""
    return (1, value, value) if dim == 2 else per_axis(value)


def _no_larger_than_the_cases(
    patch: tuple[int, int, int], grids: list[Grid], spacing: tuple[float, float, float],
    divisor: tuple[int, int, int], smallest: tuple[int, int, int],
) -> tuple[int, int, int]:  # fmt: skip
    """Return the default patch, cut to what the largest case needs: beyond it there is only padding to compute."""
    corners = [grid.outer_box() for grid in grids]
    longest = np.max([high - low for low, high in corners], axis=0)[::-1]  # L, P, S to D, H, W
    needed = [math.ceil(mm / step) for mm, step in zip(longest, reversed(spacing), strict=True)]
    return tuple(
        max(low, min(extent, math.ceil(need / step) * step))
        for extent, need, step, low in zip(patch, needed, divisor, smallest, strict=True)
    )
