"""Interpolating one axis after the other gives what ITK gives, wherever the axes are parallel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.separable import parallel_axes, resample_parallel

_SIGNED = [
    np.diag(signs)[:, order]
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]
_TURN = np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()).reshape(3, 3)


def _itk(array: np.ndarray, source: Grid, target: Grid) -> np.ndarray:
    resampled = sitk.Resample(
        source.image(array), target.size, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear,
        target.origin, target.spacing, target.direction, -7.0, sitk.sitkFloat32,
    )  # fmt: skip
    return sitk.GetArrayFromImage(resampled)


def _centred(size: tuple, spacing: tuple, direction: np.ndarray, shift: np.ndarray) -> Grid:
    middle = direction @ ((np.array(size) - 1) / 2 * np.array(spacing))
    return Grid(size, spacing, tuple(shift - middle), tuple(direction.ravel()))


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.tuples(*(st.integers(1, 14) for _ in range(6))),
    spacings=st.tuples(*(st.floats(0.4, 4.0) for _ in range(6))),
    shift=st.tuples(*(st.floats(-6.0, 6.0) for _ in range(3))),
    turn=st.integers(0, len(_SIGNED) - 1),
    tilted=st.booleans(),
)
def test_it_gives_what_itk_gives(sizes: tuple, spacings: tuple, shift: tuple, turn: int, tilted: bool) -> None:
    together = _TURN if tilted else np.eye(3)
    source = _centred(sizes[:3], spacings[:3], together, np.zeros(3))
    target = _centred(sizes[3:], spacings[3:], together @ _SIGNED[turn], np.array(shift))
    array = np.random.default_rng(5).normal(size=source.shape).astype(np.float32)
    parallel = parallel_axes(source, target)
    assert parallel is not None
    found, expected = resample_parallel(array, *parallel, outside=-7.0), _itk(array, source, target)
    # On the very edge the last digits decide what ITK calls inside; there is no right answer to compare with.
    matrix = np.linalg.inv(source.ijk_to_lps) @ target.ijk_to_lps
    index = np.stack(np.meshgrid(*(np.arange(n) for n in target.size), indexing="ij"), axis=-1)
    place = index @ matrix[:3, :3].T + matrix[:3, 3]
    edge = np.minimum(np.abs(place + 0.5), np.abs(place - (np.array(source.size) - 0.5))).min(axis=-1) < 1e-4
    clear = ~edge.transpose(2, 1, 0)
    np.testing.assert_allclose(found[clear], expected[clear], atol=2e-4)


def test_the_same_grid_gives_the_same_numbers() -> None:
    grid = Grid((5, 6, 7), (0.7, 1.1, 3.3), (1.0, 2.0, 3.0), tuple(_TURN.ravel()))
    array = np.random.default_rng(1).integers(-1000, 1000, size=grid.shape).astype(np.int16)
    found = resample_parallel(array, *parallel_axes(grid, grid))
    assert found.dtype == np.float32
    assert np.array_equal(found, array)


@pytest.mark.parametrize("degrees", [0.001, 1.0, 45.0, 90.001])
def test_turned_axes_are_not_taken_for_parallel(degrees: float) -> None:
    turn = sitk.Euler3DTransform((0, 0, 0), 0, 0, np.deg2rad(degrees)).GetMatrix()
    source = Grid((40, 40, 40), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert parallel_axes(source, Grid((40, 40, 40), (1, 1, 1), (0, 0, 0), turn)) is None


def test_a_sheared_image_is_not_taken_for_parallel() -> None:
    source = Grid((20, 20, 20), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    sheared = Grid((20, 20, 20), (1, 1, 1), (0, 0, 0), (1, 0.1, 0, 0, 0.995, 0, 0, 0, 1))
    assert parallel_axes(source, sheared) is None
