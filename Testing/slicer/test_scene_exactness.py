"""Volumes under real MRML transforms meet in one physical grid, each in its place to a hundredth of a millimetre."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from analytic_phantom import displacement_mm, positions, value, well_inside
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.prepare import InputSpec, prepare, restore
from convnextseg_engine.images.resample import resample
from convnextseg_engine.images.study import Study
from scene_phantoms import add_volume, geometry, rotation, to_world

TOLERANCE_MM = 0.01
SIZE = (34, 32, 30)


def _centred(spacing, turn=None) -> np.ndarray:
    """IJK-to-RAS of a volume of ``SIZE`` around the origin."""
    matrix = geometry(spacing, turn=turn)
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(SIZE) - 1) / 2)
    return matrix


SHEAR = np.array([[1, 0.2, 0, 1.5], [0, 1, -0.1, 0], [0, 0, 1, 2.0], [0, 0, 0, 1]])
CASES = {
    "no parent": (_centred((1.0, 1.1, 0.9)), ()),
    "moved and turned": (_centred((0.9, 1.0, 1.2)), (geometry(origin=(3, -2, 1.5), turn=rotation((0, 0.2, 1), 25)),)),
    "two parents, left-handed": (
        _centred((-1.0, 1.1, 1.0), rotation((0.3, 1, 0.2), -17)),
        (geometry(origin=(2, 1, -3), turn=rotation((1, 0, 0), 90)), geometry(turn=rotation((0, 1, 0.1), -12))),
    ),
    "scaled by its parent": (_centred((1.0, 1.0, 1.0)), (geometry((1.1, 0.9, 1.2), (1, 1, -1)),)),
    "sheared by its parent": (_centred((1.0, 1.0, 1.0)), (SHEAR,)),
}


def _add(scene, name: str, matrix: np.ndarray, parents: tuple):
    """A volume that shows the phantom where it ends up in the world."""
    world = Grid.from_ijk_to_ras(to_world(parents) @ matrix, SIZE)
    return add_volume(scene, matrix, name=name, array=value(positions(world)).astype(np.float32), parents=parents)


def _image(node) -> tuple[sitk.Image, Grid]:
    from ConvNeXtSegLib.scene.volumes import read_volume

    volume = read_volume(node)
    return volume.handle.world_grid.image(volume.array), volume.handle.world_grid


@pytest.mark.parametrize("moving", CASES)
@pytest.mark.parametrize("reference", CASES)
def test_a_channel_under_transforms_lands_where_it_lies_in_the_world(scene, reference: str, moving: str) -> None:
    _, target = _image(_add(scene, "reference", *CASES[reference]))
    image, grid = _image(_add(scene, "moving", *CASES[moving]))
    moved = sitk.GetArrayFromImage(resample(image, target))
    inside = well_inside(target, grid)
    assert np.count_nonzero(inside) > 3000
    assert np.abs(displacement_mm(moved, target, inside)).max() < TOLERANCE_MM


@pytest.mark.parametrize("reference", CASES)
def test_a_study_under_transforms_is_prepared_and_restored_in_place(scene, reference: str) -> None:
    read = {name: _image(_add(scene, name, *case)) for name, case in CASES.items()}
    images = {name: image for name, (image, _grid) in read.items()}
    prepared = prepare(Study(images, reference), InputSpec(tuple(images), (1.0, 1.0, 1.0)))
    target = read[reference][1]
    for index, name in enumerate(images):
        values = prepared.array[index]
        inside = well_inside(prepared.grid, read[name][1]) & well_inside(prepared.grid, target)
        low, high = np.percentile(values[inside], (3, 97))
        inside &= (values > low) & (values < high)
        assert np.abs(displacement_mm(values, prepared.grid, inside, scaled=True)).max() < TOLERANCE_MM
    back = restore(value(positions(prepared.grid)), prepared.grid, target)
    inside = well_inside(target, prepared.grid, 1.0)
    assert np.abs(displacement_mm(back, target, inside)).max() < TOLERANCE_MM
