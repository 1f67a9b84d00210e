"""A smooth function of the place in the patient, sampled on any grid, and how far another sampling of it is displaced.

Displacement is what matters for a mask: it is estimated from an image by least squares on the function's own gradient,
``image - f ≈ -∇f · d``, so a wrong origin, a flipped axis or half a voxel shows as millimetres. What interpolation
flattens goes with the second derivatives, which are fitted beside it.
"""

from __future__ import annotations

import numpy as np

from convnextseg_engine.images.grid import Grid

# Waves per mm along L, P, S and their phases: long against every spacing used, and different in all directions.
_WAVES = np.array([[0.011, 0.004, 0.006], [0.003, 0.012, -0.005], [-0.005, 0.004, 0.010], [0.008, -0.007, 0.007]])
_PHASES = np.array([0.3, 1.1, 2.0, 4.4])


def positions(grid: Grid) -> np.ndarray:
    """LPS mm of every voxel's centre, shape ``(D, H, W, 3)``."""
    k, j, i = np.indices(grid.shape)
    return np.stack([i, j, k], -1) @ grid.ijk_to_lps[:3, :3].T + grid.ijk_to_lps[:3, 3]


def value(points: np.ndarray) -> np.ndarray:
    """The function, between 1 and 9, at LPS points ``(…, 3)``."""
    return 5 + np.sin(2 * np.pi * points @ _WAVES.T + _PHASES).sum(-1)


def gradient(points: np.ndarray) -> np.ndarray:
    """Its gradient per mm, shape ``(…, 3)``."""
    return (np.cos(2 * np.pi * points @ _WAVES.T + _PHASES) @ _WAVES) * 2 * np.pi


def curvature(points: np.ndarray) -> np.ndarray:
    """Its six second derivatives per mm², shape ``(…, 6)``."""
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    products = np.stack([_WAVES[:, a] * _WAVES[:, b] for a, b in pairs], axis=1)
    return -np.sin(2 * np.pi * points @ _WAVES.T + _PHASES) @ products * (2 * np.pi) ** 2


def displacement_mm(array: np.ndarray, grid: Grid, inside: np.ndarray, *, scaled: bool = False) -> np.ndarray:
    """Return by how many mm (L, P, S) the function in ``array`` lies beside its true place.

    Args:
        array: Intensities, shape ``(D, H, W)`` on ``grid``.
        grid: Where they are said to lie.
        inside: Voxels to look at.
        scaled: Whether the intensities were scaled and shifted, as by normalisation.
    """
    points = positions(grid)[inside]
    truth, slope = value(points), gradient(points)
    columns = [-slope, curvature(points)] + ([truth[:, None], np.ones((len(truth), 1))] if scaled else [])
    solution = np.linalg.lstsq(np.hstack(columns), array[inside] - (0 if scaled else truth), rcond=None)[0]
    return solution[:3] / (solution[9] if scaled else 1.0)


def well_inside(grid: Grid, other: Grid, margin_voxels: float = 1.5) -> np.ndarray:
    """Voxels of ``grid`` whose centres lie in ``other``, away from its border."""
    to_index = np.linalg.inv(other.ijk_to_lps)
    index = positions(grid) @ to_index[:3, :3].T + to_index[:3, 3]
    return ((index >= margin_voxels) & (index <= np.array(other.size) - 1 - margin_voxels)).all(-1)
