"""Grids: LPS and RAS, corners, equality."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid

OBLIQUE = Grid((5, 6, 7), (0.9, 1.1, 2.5), (10.0, -20.0, 30.0), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))


def test_voxel_positions_agree_with_itk():
    image = OBLIQUE.image(np.zeros(OBLIQUE.shape, np.int16))
    for index in ((0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 6), (1, 2, 3)):
        expected = image.TransformIndexToPhysicalPoint(index)
        assert (OBLIQUE.ijk_to_lps @ [*index, 1])[:3] == pytest.approx(expected, abs=1e-9)


def test_ras_negates_the_first_two_coordinates():
    lps = OBLIQUE.ijk_to_lps @ [1, 2, 3, 1]
    ras = OBLIQUE.ijk_to_ras @ [1, 2, 3, 1]
    assert ras == pytest.approx([-lps[0], -lps[1], lps[2], 1])


@settings(max_examples=50, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-3.1, 3.1)] * 3),
    spacing=st.tuples(*[st.floats(0.2, 9)] * 3),
    origin=st.tuples(*[st.floats(-500, 500)] * 3),
    flip=st.booleans(),
)
def test_mrml_and_json_round_trips_keep_every_corner(angles, spacing, origin, flip):
    turn = sitk.Euler3DTransform((0, 0, 0), *angles)
    direction = np.array(turn.GetMatrix()).reshape(3, 3) * ([1, 1, -1] if flip else 1)
    grid = Grid((9, 4, 6), spacing, origin, tuple(direction.ravel()))
    assert Grid.from_ijk_to_ras(grid.ijk_to_ras, grid.size).same_as(grid, 1e-6)
    assert Grid.from_dict(json.loads(json.dumps(grid.to_dict()))) == grid
    assert Grid.from_image(grid.image(np.zeros(grid.shape, np.uint8))).same_as(grid, 1e-6)


def test_same_as_notices_a_tenth_of_a_micrometre_too_much():
    near = Grid(OBLIQUE.size, OBLIQUE.spacing, (10.0, -20.0, 30.00009), OBLIQUE.direction)
    far = Grid(OBLIQUE.size, OBLIQUE.spacing, (10.0, -20.0, 30.0002), OBLIQUE.direction)
    assert OBLIQUE.same_as(near)
    assert not OBLIQUE.same_as(far)


def test_same_as_notices_an_axis_counted_from_the_other_end():
    flipped = Grid((5, 5, 5), (1, 1, 1), (4, 0, 0), (-1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert not flipped.same_as(Grid((5, 5, 5), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)))


def test_outer_box_reaches_half_a_voxel_beyond_the_centres():
    grid = Grid((2, 3, 4), (1, 2, 3), (10, 20, 30), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    low, high = grid.outer_box()
    assert low == pytest.approx([9.5, 19, 28.5])
    assert high == pytest.approx([11.5, 25, 40.5])


def test_voxel_volume_in_millilitres():
    assert OBLIQUE.voxel_ml == pytest.approx(0.9 * 1.1 * 2.5 / 1000)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size": (5, 6)}, "not-3d"),
        ({"size": (5, 6, 0)}, "bad-geometry"),
        ({"spacing": (1, 1, 0)}, "bad-geometry"),
        ({"origin": (0, float("nan"), 0)}, "bad-geometry"),
        ({"direction": (1, 0, 0, 1, 0, 0, 0, 0, 1)}, "bad-geometry"),
    ],
)
def test_broken_geometry_is_refused_in_words(change, code):
    fields = {"size": (5, 6, 7), "spacing": (1, 1, 1), "origin": (0, 0, 0), "direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)}
    with pytest.raises(InputError) as caught:
        Grid(**fields | change)
    assert caught.value.code == code
    assert caught.value.remedy


def test_an_array_of_another_shape_does_not_become_an_image():
    with pytest.raises(ValueError, match="does not fit"):
        OBLIQUE.image(np.zeros((5, 6, 7)))
