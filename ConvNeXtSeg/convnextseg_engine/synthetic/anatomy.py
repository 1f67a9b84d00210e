"""A synthetic brain without its skull: folded cortex, white matter, ventricles, deep grey nuclei, cerebellum.

The shapes are ellipsoids whose surfaces are bent by smooth noise; the cortex is folded around the zero sheets of a
noise field, which wind through space as sulci do. It is no atlas: it gives a network the tissues, their neighbours
and their sizes, not the names of the gyri.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from .chance import Chance

# Half the length of the brain along L, P and S in mm. The 8 BraTS 2021 training cases (shared split) measure
# 126–144 × 160–181 × 129–139 mm; the largest are cut so that the default grid (144 × 168 × 144 mm) holds the brain.
_HALF_AXES_MM = ((61.0, 69.0), (76.0, 82.0), (61.0, 68.0))
_GRID_SHARE = 0.485  # of the grid's length that half the brain may take, so that background surrounds it


class Tissue(IntEnum):
    """Tissue of a voxel of the healthy brain."""

    OUTSIDE = 0
    CSF = 1
    GREY = 2
    WHITE = 3
    DEEP_GREY = 4
    VESSEL = 5
    AGED_WHITE = 6  # white matter beside the ventricles, bright on FLAIR in many older people


@dataclass(frozen=True)
class Anatomy:
    """A healthy brain on a grid.

    Attributes:
        tissue: :class:`Tissue` values, uint8, shape ``(D, H, W)``.
        x: Distance from the brain's centre towards L in mm, shape ``(1, 1, W)``.
        y: The same towards P, shape ``(1, H, 1)``.
        z: The same towards S, shape ``(D, 1, 1)``.
        half_axes_mm: Half the brain's length along L, P, S.
        scale: Size of this brain relative to an adult's (1.0), smaller where the grid is too small for one.
    """

    tissue: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    half_axes_mm: tuple[float, float, float]
    scale: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Array shape ``(D, H, W)``."""
        return self.tissue.shape


def ellipsoid(x, y, z, centre: tuple[float, float, float], half_axes: tuple[float, float, float]) -> np.ndarray:
    """Return the distance from ``centre`` in units of the half axes (1 on the surface), float32 ``(D, H, W)``."""
    square = ((z - centre[2]) / half_axes[2]) ** 2 + ((y - centre[1]) / half_axes[1]) ** 2
    return np.sqrt(square + ((x - centre[0]) / half_axes[0]) ** 2)


def grow_brain(
    chance: Chance,
    size: tuple[int, int, int],
    spacing: tuple[float, float, float],
    mass: tuple[tuple[float, float, float], float],
) -> Anatomy:
    """Return a random healthy brain, its inner structures pushed aside by a mass.

    Args:
        chance: Source of randomness.
        size: Voxels along I, J, K.
        spacing: Millimetres along I, J, K.
        mass: Where the mass will be (in units of the half axes along L, P, S) and how far it pushes, in mm.
    """
    shape = size[2], size[1], size[0]
    x, y, z = (
        ((np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)) * np.float32(s))
        for n, s in zip(size, spacing, strict=True)
    )
    x, y, z = x.reshape(1, 1, -1), y.reshape(1, -1, 1), z.reshape(-1, 1, 1)
    adult = tuple(chance.between(*limits) for limits in _HALF_AXES_MM)
    scale = min(1.0, *(n * s * _GRID_SHARE / half for n, s, half in zip(size, spacing, adult, strict=True)))
    a, b, c = half = tuple(scale * h for h in adult)

    def noise(width_mm: float) -> np.ndarray:
        return chance.smooth(shape, [max(2.0, width_mm * scale / s) for s in reversed(spacing)])

    # What lies between mass and midline is displaced away from the mass, less with distance.
    centre, push_mm = tuple(m * h for m, h in zip(mass[0], half, strict=True)), mass[1] * scale
    nearness = 1 / (1 + ellipsoid(x, y, z, centre, (0.5 * a, 0.5 * b, 0.5 * c)) ** 2)
    inner_x = x + np.float32(push_mm if centre[0] > 0 else -push_mm) * nearness

    tissue = np.zeros(shape, dtype=np.uint8)
    depth_mm, folded = _cerebrum(chance, tissue, (x, y, z), inner_x, half, scale, noise)
    _ventricles(chance, tissue, (inner_x, y, z), half, scale, noise(14.0))
    vessels = (np.abs(folded) < 0.5) & (np.abs(noise(11.0)) < 0.08) & (depth_mm < 9 * scale) & (tissue == Tissue.CSF)
    tissue[vessels] = Tissue.VESSEL
    return Anatomy(tissue, x, y, z, half, scale)


def _cerebrum(chance, tissue, axes, inner_x, half, scale, noise) -> tuple[np.ndarray, np.ndarray]:
    """Write cortex, white matter, cerebellum and stem; return the depth below the surface (mm) and the folding."""
    x, y, z = axes
    a, b, c = half
    bend = noise(28.0) * np.float32(0.025)
    top = ellipsoid(x, y, z, (0, 0, 0.06 * c), (a, b, 0.94 * c)) + bend
    low = (z + 0.30 * c) / c  # negative below the temporal lobes' upper edge, where the brain narrows
    top = top + np.where(low < 0, low * low * np.float32(0.45), 0)
    back = ellipsoid(x, y, z, (0, 0.45 * b, -0.60 * c), (0.72 * a, 0.42 * b, 0.36 * c)) + bend
    stem = np.sqrt((x / (0.20 * a)) ** 2 + ((y - 0.12 * b) / (0.17 * b)) ** 2) + np.where(
        (z < -0.97 * c) | (z > -0.3 * c), 9.0, 0.0
    )
    radius = np.minimum(np.minimum(top, back), stem)
    brain = radius < 1
    depth_mm = (1 - radius) * np.float32((a + b + c) / 3)
    folded = noise(6.5) + noise(15.0) * np.float32(0.25)
    cerebellar = back < top
    # Sulci reach 20–35 mm deep and become narrow there; their openings are widest at the surface.
    reach = np.clip((np.float32(chance.between(30, 38) * scale) - depth_mm) / np.float32(24 * scale), 0, 1)
    width = np.where(cerebellar, np.float32(0.7), np.float32(1.0))
    sulcus = np.abs(folded) < np.float32(chance.between(0.12, 0.26)) * reach * reach * width
    fissure = (np.abs(inner_x) < np.float32(1.3 * scale)) & (z > 0.02 * c) & ~cerebellar
    grey = (np.abs(folded) < np.float32(chance.between(0.85, 1.10)) * np.sqrt(reach) * width) | (
        depth_mm < np.float32(4.5 * scale)
    )
    grey |= (np.abs(inner_x) < np.float32(4.5 * scale)) & (z > 0.02 * c)
    fluid = sulcus | fissure | (depth_mm < np.float32(chance.between(0.4, 1.6) * scale))
    tissue[brain] = Tissue.WHITE
    tissue[brain & grey] = Tissue.GREY
    tissue[brain & fluid & (stem >= 1)] = Tissue.CSF
    return depth_mm, folded


def _ventricles(chance, tissue, axes, half, scale, bend) -> None:
    """Write deep grey nuclei, aged white matter, the lateral ventricles and the third ventricle."""
    x, y, z = axes
    a, b, c = half
    side = np.abs(x)
    deep = ellipsoid(side, y, z, (0.24 * a, 0.02 * b, 0.02 * c), (0.13 * a, 0.22 * b, 0.16 * c)) + bend * np.float32(
        0.08
    )
    thalamus = ellipsoid(side, y, z, (0.13 * a, 0.20 * b, 0.02 * c), (0.11 * a, 0.14 * b, 0.13 * c))
    tissue[(np.minimum(deep, thalamus) < 1) & (tissue == Tissue.WHITE)] = Tissue.DEEP_GREY
    wide = chance.between(0.7, 1.5)
    # The horns leave the midline to the front and to the back, so the body is an arch over the deep nuclei.
    arch = (y - 0.05 * b) / b
    arch_end = (arch / 0.48) ** 2
    spread = np.float32(0.10 * a) + np.float32(0.55 * a) * arch * arch
    lift = np.float32(0.24 * c) - np.float32(0.75 * c) * arch * arch
    lateral = np.sqrt(
        ((side - spread) / (0.075 * a * wide)) ** 2 + ((z - lift) / (0.13 * c * wide)) ** 2 + arch_end * arch_end
    )
    lateral = lateral + bend * np.float32(0.10)
    third = ellipsoid(side, y, z, (0, 0.14 * b, 0.0), (0.025 * a * wide, 0.18 * b, 0.16 * c))
    aged = 1 + chance.between(-0.3, 0.45)
    tissue[(lateral < aged) & (tissue == Tissue.WHITE)] = Tissue.AGED_WHITE
    inside = tissue != Tissue.OUTSIDE
    tissue[((lateral < 1) | (third < 1)) & inside] = Tissue.CSF
