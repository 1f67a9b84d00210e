"""A movement folded into an image's geometry is the movement of its voxels, without any of them changing."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.resample import resample
from convnextseg_engine.preparing.rigid import RigidTransform
from engine.preparing.head_phantom import motion

_MOVEMENT = motion((7.0, -3.0, 11.0), (0.3, -0.5, 0.8), 23.0)
_DIRECTIONS = {
    "straight": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "left-handed": (-1, 0, 0, 0, 1, 0, 0, 0, 1),
    "permuted": (0, 0, 1, 1, 0, 0, 0, 1, 0),
    "oblique": (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1),
}


def _blob(direction: tuple[float, ...]) -> sitk.Image:
    """A smooth image, on anisotropic voxels, whose every place has another value."""
    image = sitk.Image([31, 27, 19], sitk.sitkFloat32)
    image.SetSpacing((2.0, 2.5, 3.5))
    image.SetDirection(direction)
    image.SetOrigin((5.0, -20.0, 40.0))
    k, j, i = np.indices((19, 27, 31))
    array = np.sin(i / 6) + np.cos(j / 7) + np.sin(k / 5) + 3
    return Grid.from_image(image).image(array.astype(np.float32))


@pytest.mark.parametrize("direction", _DIRECTIONS.values(), ids=_DIRECTIONS)
def test_folding_it_into_the_geometry_is_resampling_through_it(direction) -> None:
    image = _blob(direction)
    middle = Grid.from_image(image).corners().mean(axis=0)
    target = Grid(
        (15, 15, 15),
        (2.0, 2.0, 2.0),
        tuple(_MOVEMENT.inverse().apply(middle[None])[0] - 14),
        (1, 0, 0, 0, 1, 0, 0, 0, 1),
    )
    through = sitk.Resample(
        image, target.size, _MOVEMENT.to_itk(), sitk.sitkLinear, target.origin, target.spacing, target.direction, 0.0
    )
    folded = resample(_MOVEMENT.brought_back(image), target)
    expected = sitk.GetArrayFromImage(through)
    assert np.count_nonzero(expected) > 2000
    np.testing.assert_allclose(sitk.GetArrayFromImage(folded), expected, atol=2e-4)


def test_the_image_it_was_given_stays_as_it_was() -> None:
    image = _blob(_DIRECTIONS["oblique"])
    grid, array = Grid.from_image(image), sitk.GetArrayFromImage(image)
    back = _MOVEMENT.brought_back(image)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(back), array)
    assert Grid.from_image(image) == grid
    assert not Grid.from_image(back).same_as(grid, 1.0)


def test_there_and_back_is_no_movement() -> None:
    image = _blob(_DIRECTIONS["left-handed"])
    again = _MOVEMENT.inverse().brought_back(_MOVEMENT.brought_back(image))
    assert Grid.from_image(again).same_as(Grid.from_image(image), 1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-5, 3.0, 90.0, 179.0])
def test_its_angle_is_the_one_that_was_turned(angle: float) -> None:
    assert motion((0, 0, 0), (1, 2, -1), angle).angle_deg == pytest.approx(angle, abs=1e-7)


def test_it_survives_json() -> None:
    assert RigidTransform.from_dict(_MOVEMENT.to_dict()) == _MOVEMENT


@pytest.mark.parametrize(
    "data",
    [
        {"matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1]},
        {"matrix": [2, 0, 0, 0, 1, 0, 0, 0, 1], "offset": [0, 0, 0]},
        {"matrix": [-1, 0, 0, 0, 1, 0, 0, 0, 1], "offset": [0, 0, 0]},
        {"matrix": [1, 0, 0, 0, 1, 0, 0, 0, 1], "offset": [0, 0, float("nan")]},
        {"matrix": [1, 0, 0], "offset": [0, 0, 0]},
    ],
)
def test_what_is_no_rigid_movement_is_refused(data) -> None:
    with pytest.raises((ValueError, KeyError)):
        RigidTransform.from_dict(data)
