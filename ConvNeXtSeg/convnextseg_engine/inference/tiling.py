"""Where windows lie: nnU-Net's rule, by which they are spread evenly and the last one ends where the image ends.

Isensee et al., nnU-Net, Nature Methods 2021, doi:10.1038/s41592-020-01008-z.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..networks.extents import Extents


@dataclass(frozen=True)
class Tiling:
    """The windows that cover an input.

    Attributes:
        shape: Extent of the input, (D, H, W).
        patch: Extent of a window, (D, H, W). Along an axis where it is 1 (a network of slices) every slice is one
            window: slices do not overlap.
        overlap: Part of a window, 0 to below 1, by which neighbours overlap at least.
    """

    shape: Extents
    patch: Extents
    overlap: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < 1:
            raise ValueError(f"an overlap of {self.overlap} is not in 0 to below 1")

    @cached_property
    def padding(self) -> tuple[tuple[int, int], ...]:
        """Voxels put before and after each axis, so that the input is at least as large as a window."""
        missing = [max(0, p - n) for n, p in zip(self.shape, self.patch, strict=True)]
        return tuple((n // 2, n - n // 2) for n in missing)

    @cached_property
    def padded(self) -> Extents:
        """Extent of the input with its padding."""
        return tuple(max(n, p) for n, p in zip(self.shape, self.patch, strict=True))

    @cached_property
    def axis_starts(self) -> tuple[tuple[int, ...], ...]:
        """First voxels of the windows along each axis, in the padded input."""
        return tuple(_axis_starts(n, p, 1 - self.overlap) for n, p in zip(self.padded, self.patch, strict=True))

    @cached_property
    def starts(self) -> list[Extents]:
        """First voxel (d, h, w) of every window in the padded input, the last axis changing fastest."""
        return list(itertools.product(*self.axis_starts))

    def window(self, start: Extents) -> tuple[slice, slice, slice]:
        """Return the voxels of the window that begins at ``start``."""
        return tuple(slice(first, first + p) for first, p in zip(start, self.patch, strict=True))

    @property
    def inside(self) -> tuple[slice, slice, slice]:
        """The input's own voxels within the padded input."""
        return tuple(slice(low, low + n) for (low, _), n in zip(self.padding, self.shape, strict=True))

    def pad(self, array: np.ndarray) -> np.ndarray:
        """Return ``array`` (C, D, H, W) with zeros around it where it is smaller than a window."""
        if not any(low or high for low, high in self.padding):
            return array
        return np.pad(array, ((0, 0), *self.padding))


def _axis_starts(extent: int, patch: int, step: float) -> tuple[int, ...]:
    if patch == 1:
        return tuple(range(extent))
    last = extent - patch
    count = math.ceil(last / (patch * step)) + 1
    # Python rounds halves to even, as numpy does, which nnU-Net uses.
    return tuple(round(index * (last / (count - 1))) for index in range(count)) if count > 1 else (0,)
