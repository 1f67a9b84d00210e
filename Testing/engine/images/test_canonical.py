"""The same image in another voxel order, or with other last digits, is the same image to the engine."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.canonical import canonical, canonical_grid, is_left_handed
from convnextseg_engine.images.grid import Grid


@pytest.fixture
def left_handed() -> sitk.Image:
    image = sitk.GetImageFromArray(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6))
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.3, -0.2, 0.5)
    direction = np.array(turn.GetMatrix()).reshape(3, 3) * [1, 1, -1]
    image.SetDirection(direction.ravel())
    image.SetSpacing((0.1 + 0.2, 1.1, 4.0 / 3))
    image.SetOrigin((10.1, -200.2, 33.3))
    return image


def test_a_left_handed_image_becomes_right_handed_and_no_voxel_moves(left_handed: sitk.Image) -> None:
    turned = canonical(left_handed)
    assert is_left_handed(left_handed)
    assert not is_left_handed(turned)
    assert turned.GetPixelID() == left_handed.GetPixelID()
    for index in ((0, 0, 0), (5, 0, 1), (2, 4, 3)):
        there = turned.TransformPhysicalPointToIndex(left_handed.TransformIndexToPhysicalPoint(index))
        place = turned.TransformIndexToPhysicalPoint(there)
        assert turned[there] == left_handed[index]
        assert place == pytest.approx(left_handed.TransformIndexToPhysicalPoint(index), abs=1e-6)


def test_it_is_the_same_whichever_way_round_the_image_came(left_handed: sitk.Image) -> None:
    other = sitk.Flip(left_handed, [False, False, True], False)
    assert canonical_grid(other) == canonical_grid(left_handed)
    assert np.array_equal(sitk.GetArrayFromImage(canonical(other)), sitk.GetArrayFromImage(canonical(left_handed)))


def test_a_right_handed_image_keeps_its_order_and_has_exactly_its_grids_numbers(left_handed: sitk.Image) -> None:
    image = sitk.Flip(left_handed, [True, False, False], False)
    result = canonical(image)
    assert canonical_grid(image) == Grid.from_image(image)
    assert np.array_equal(sitk.GetArrayFromImage(result), sitk.GetArrayFromImage(image))
    assert (result.GetOrigin(), result.GetSpacing()) == (canonical_grid(image).origin, canonical_grid(image).spacing)
