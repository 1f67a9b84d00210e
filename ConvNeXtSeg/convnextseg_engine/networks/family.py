"""What the registry knows about an architecture and the published sizes of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

# Extents of the window that a new model of this network takes by default. MedNeXt's authors train at 128³ on 40 GB
# graphics cards; 96³ holds the same context at 1.33 mm and fits a training step of most sizes into 16 GB.
PATCHES = {2: (1, 256, 256), 3: (96, 96, 96)}


@dataclass(frozen=True)
class Variant:
    """A published size of an architecture, which has a name.

    Attributes:
        stem: The name without suffixes for kernel, width and dimension, for example ``"mednext-s"``.
        arguments: What the stem stands for: keyword arguments of the family's constructor.
        dims: The dimensions that are listed; the first is the one of the name without ``-2d`` or ``-3d``.
        kernels: The kernels that are listed. If there are any, the kernel is part of the name.
    """

    stem: str
    arguments: dict[str, Any]
    dims: tuple[int, ...] = (3, 2)
    kernels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Family:
    """An architecture.

    Attributes:
        name: What a model's metadata calls it.
        title: For people.
        constructor: Called as ``constructor(inputs, outputs, **arguments)``; raises ValueError in plain words if an
            argument is impossible. What it takes by keyword is what can be chosen: ``width``, ``kernel``, ``dim``,
            ``deep_supervision``, ``checkpointing`` and so on.
        paper: Where it was published.
        variants: Its sizes that have names.
        licence: Of the weights that are known for it.
        divisor: What each extent of the input must be divisible by.
        smallest: The smallest extent of the input.
        patches: Default window as ``(D, H, W)`` for each dimension; a 2D network's window is one slice thick.
        landmark: Name of a weight that every network of the family has: weights without it are not the family's, which
            is known without building anything (MONAI alone takes seconds to import).
    """

    name: str
    title: str
    constructor: Callable[..., nn.Module]
    paper: str
    variants: tuple[Variant, ...]
    licence: str = "no published weights known"
    divisor: int = 1
    smallest: int = 1
    patches: dict[int, tuple[int, int, int]] = field(default_factory=lambda: dict(PATCHES))
    landmark: str = ""

    def takes(self, argument: str) -> bool:
        """Say whether ``argument`` can be chosen for this architecture."""
        return argument in inspect.signature(self.constructor).parameters
