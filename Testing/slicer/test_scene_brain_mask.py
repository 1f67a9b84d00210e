"""A brain mask of the scene comes with its own grid in the world: every voxel of it lies where it is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from convnextseg_engine.errors import InputError
from ConvNeXtSegLib.scene.brain_mask import read_brain_mask
from ConvNeXtSegLib.scene.segmentation import place_result
from ConvNeXtSegLib.scene.volumes import read_volume
from scene_phantoms import (
    GEOMETRIES,
    MODEL,
    PARENTS,
    add_volume,
    brain_contract,
    mask_points,
    phantom_mask,
    put_under_warp,
    segment_points,
)


@pytest.fixture
def volume(scene):
    return add_volume(scene, GEOMETRIES["oblique"], parents=PARENTS["moved and turned"])


@pytest.fixture
def node(scene, volume, repository):
    return place_result(scene, phantom_mask(), brain_contract(repository), read_volume(volume).handle, MODEL)


def _world_points(mask: np.ndarray, grid) -> np.ndarray:
    """RAS positions of the mask's voxels, sorted."""
    points = mask_points(mask, 1, grid.ijk_to_ras, ())
    return points[np.lexsort(np.round(points, 3).T)]


def test_of_a_segmentation_the_segment_called_brain_is_taken_where_it_lies(node) -> None:
    content = node.GetSegmentation()
    segment = content.GetNthSegment(1)
    segment.SetName("Brain")
    mask, grid = read_brain_mask(node)
    assert mask.dtype == np.uint8
    expected = segment_points(node, "Brain")
    assert len(expected) > 10
    expected = expected[np.lexsort(np.round(expected, 3).T)]
    np.testing.assert_allclose(_world_points(mask, grid), expected, atol=1e-4)


def test_several_segments_without_a_brain_are_refused(node) -> None:
    with pytest.raises(InputError) as caught:
        read_brain_mask(node)
    assert caught.value.code == "no-brain-segment"


def test_a_label_map_is_brain_where_it_is_not_zero(scene) -> None:
    inside = (phantom_mask() != 0).astype(np.uint8) * 7
    node = add_volume(
        scene, GEOMETRIES["oblique"], array=inside, parents=PARENTS["moved and turned"],
        class_name="vtkMRMLLabelMapVolumeNode",
    )  # fmt: skip
    mask, grid = read_brain_mask(node)
    np.testing.assert_array_equal(mask, inside != 0)
    expected = mask_points(inside, 7, GEOMETRIES["oblique"], PARENTS["moved and turned"])
    expected = expected[np.lexsort(np.round(expected, 3).T)]
    np.testing.assert_allclose(_world_points(mask, grid), expected, atol=1e-4)


def test_what_is_no_mask_is_refused_in_words(scene, node) -> None:
    with pytest.raises(InputError, match="No brain mask is chosen"):
        read_brain_mask(None)
    empty = add_volume(
        scene, GEOMETRIES["oblique"], array=np.zeros_like(phantom_mask()), class_name="vtkMRMLLabelMapVolumeNode"
    )
    with pytest.raises(InputError, match="is empty"):
        read_brain_mask(empty)
    node.GetSegmentation().GetNthSegment(0).SetName("brain")
    put_under_warp(scene, node)
    with pytest.raises(InputError, match="non-linear"):
        read_brain_mask(node)
