"""One physical grid: whatever axes, spacing and size a channel has, its content stays where it is in the patient.

Channels are an analytic function of the place, sampled on each grid; what resampling makes of it must be that function
in the same place. Linear interpolation flattens it a little (at most h²/8 of its curvature) and moves it nowhere.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from analytic_phantom import displacement_mm, positions, value, well_inside
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.prepare import InputSpec, prepare, restore
from convnextseg_engine.images.resample import anatomical_grid, resample
from convnextseg_engine.images.study import Study

CENTRE = np.array([6.0, -9.0, 14.0])
# A hundredth of a millimetre: the finest spacing here is 0.9 mm.
TOLERANCE_MM = 0.01


def _rotated(x: float, y: float, z: float, flips: tuple[int, int, int] = (1, 1, 1)) -> tuple[float, ...]:
    matrix = np.array(sitk.Euler3DTransform((0, 0, 0), *np.deg2rad([x, y, z])).GetMatrix()).reshape(3, 3)
    return tuple((matrix * np.array(flips)).ravel())


def _grid(size: tuple, spacing: tuple, direction: tuple) -> Grid:
    step = np.array(direction).reshape(3, 3) * np.array(spacing)
    return Grid(size, spacing, tuple(CENTRE - step @ ((np.array(size) - 1) / 2)), direction)


STRAIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)
GRIDS = {
    "straight": _grid((30, 32, 31), (1.0, 1.0, 1.0), STRAIGHT),
    "rotated": _grid((32, 31, 33), (1.0, 1.0, 1.0), _rotated(25, -18, 40)),
    "quarter turns": _grid((31, 30, 32), (1.1, 0.9, 1.0), (0, 0, 1, -1, 0, 0, 0, -1, 0)),
    "flipped": _grid((30, 32, 31), (1.0, 1.1, 0.9), (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
    "left-handed": _grid((30, 32, 31), (1.0, 1.0, 1.0), (1, 0, 0, 0, 1, 0, 0, 0, -1)),
    "left-handed oblique": _grid((31, 32, 20), (0.9, 1.0, 1.8), _rotated(12, 31, -20, (1, -1, 1))),
    "thick slices": _grid((34, 35, 13), (0.9, 0.9, 3.0), _rotated(8, 0, 5)),
    "coronal, thick": _grid((34, 35, 13), (0.9, 0.9, 3.0), (1, 0, 0, 0, 0, 1, 0, -1, 0)),
}  # fmt: skip


def _image(grid: Grid) -> sitk.Image:
    return grid.image(value(positions(grid)).astype(np.float32))


def test_the_measure_notices_a_hundredth_of_a_millimetre() -> None:
    grid = GRIDS["rotated"]
    shift = np.array([0.02, -0.015, 0.03])
    moved = Grid(grid.size, grid.spacing, tuple(np.array(grid.origin) - shift), grid.direction)
    everywhere = np.ones(grid.shape, bool)
    assert displacement_mm(value(positions(moved)), grid, everywhere) == pytest.approx(shift, abs=1e-3)
    scaled = 3 - 2 * value(positions(moved))
    assert displacement_mm(scaled, grid, everywhere, scaled=True) == pytest.approx(shift, abs=1e-3)


@pytest.mark.parametrize(("source", "target"), [*itertools.permutations(GRIDS, 2)])
def test_resampling_moves_nothing(source: str, target: str) -> None:
    moved = sitk.GetArrayFromImage(resample(_image(GRIDS[source]), GRIDS[target]))
    inside = well_inside(GRIDS[target], GRIDS[source])
    assert np.count_nonzero(inside) > 1000
    assert np.abs(displacement_mm(moved, GRIDS[target], inside)).max() < TOLERANCE_MM
    # Curvature is at most (2π × 0.0146 / mm)² × 4 waves.
    bound = sum(h**2 for h in GRIDS[source].spacing) / 8 * (2 * np.pi * 0.0146) ** 2 * 4
    assert np.abs(moved - value(positions(GRIDS[target])))[inside].max() < bound


@pytest.mark.parametrize("reference", GRIDS)
def test_every_channel_of_a_prepared_study_shows_the_same_places(reference: str) -> None:
    channels = {name: _image(grid) for name, grid in GRIDS.items()}
    prepared = prepare(Study(channels, reference), InputSpec(tuple(GRIDS), (1.0, 1.0, 1.0)))
    for index, name in enumerate(GRIDS):
        inside = well_inside(prepared.grid, GRIDS[name]) & well_inside(prepared.grid, GRIDS[reference])
        # Clipping at percentiles bends the extremes; between them the function is scaled and shifted only.
        values = prepared.array[index]
        low, high = np.percentile(values[inside], (3, 97))
        inside &= (values > low) & (values < high)
        found = displacement_mm(values, prepared.grid, inside, scaled=True)
        assert np.abs(found).max() < TOLERANCE_MM, (name, found)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 1.2, 2.0)], ids=["1 mm", "anisotropic"])
@pytest.mark.parametrize("reference", GRIDS)
def test_what_the_network_says_comes_back_to_its_place(reference: str, spacing: tuple) -> None:
    target = GRIDS[reference]
    network_grid = anatomical_grid(target, spacing)
    back = restore(value(positions(network_grid)), network_grid, target)
    assert back.shape == target.shape
    inside = well_inside(target, network_grid, 1.0)
    assert np.count_nonzero(inside) > 1000
    assert np.abs(displacement_mm(back, target, inside)).max() < TOLERANCE_MM


@pytest.mark.parametrize("reference", GRIDS)
def test_there_and_back_again_is_the_image_itself(reference: str) -> None:
    target = GRIDS[reference]
    network_grid = anatomical_grid(target, (1.0, 1.0, 1.0))
    there = sitk.GetArrayFromImage(resample(_image(target), network_grid))
    back = restore(there, network_grid, target)
    inside = well_inside(target, target, 3.0)
    assert np.abs(displacement_mm(back, target, inside)).max() < TOLERANCE_MM
    assert np.abs(back - value(positions(target)))[inside].max() < 0.1
