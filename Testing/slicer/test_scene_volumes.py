"""Volume nodes reach the engine with the right voxels at the right place."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from convnextseg_engine.errors import InputError
from ConvNeXtSegLib.scene.volumes import read_volume
from scene_phantoms import GEOMETRIES, PARENTS, SHAPE, add_volume, geometry, phantom_image, put_under_warp, to_world

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.mark.parametrize("parents", PARENTS.values(), ids=PARENTS)
@pytest.mark.parametrize("matrix", GEOMETRIES.values(), ids=GEOMETRIES)
def test_a_voxel_lies_where_the_scene_shows_it(scene, matrix, parents):
    volume = read_volume(add_volume(scene, matrix, parents=parents))
    for grid, expected in (
        (volume.handle.local_grid, _LPS @ matrix),
        (volume.handle.world_grid, _LPS @ to_world(parents) @ matrix),
    ):
        assert grid.shape == SHAPE
        assert np.abs(grid.ijk_to_lps @ [17, 13, 9, 1] - expected @ [17, 13, 9, 1]).max() < 1e-4
        assert np.abs(grid.ijk_to_lps - expected).max() < 1e-6


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_voxels_keep_their_type_and_axes(scene, dtype):
    volume = read_volume(add_volume(scene, array=phantom_image(dtype)))
    assert volume.array.dtype == dtype
    assert np.array_equal(volume.array, phantom_image(dtype))


def test_reading_leaves_the_node_alone(scene):
    node = add_volume(scene, GEOMETRIES["oblique"], parents=PARENTS["two parents"])
    before = node.GetMTime(), node.GetImageData().GetMTime(), scene.GetNumberOfNodes()
    volume = read_volume(node)
    assert (node.GetMTime(), node.GetImageData().GetMTime(), scene.GetNumberOfNodes()) == before
    with pytest.raises(ValueError, match="read-only"):
        volume.array[0, 0, 0] = 1


def test_a_warped_volume_is_refused_with_the_way_out(scene):
    node = add_volume(scene)
    put_under_warp(scene, node)
    with pytest.raises(InputError, match=r"T1c.*non-linear.*Harden"):
        read_volume(node)


def test_what_is_not_an_image_is_refused_in_words(scene):
    colour = add_volume(
        scene, array=np.zeros((4, 5, 6, 3), np.uint8), name="photo", class_name="vtkMRMLVectorVolumeNode"
    )
    labels = add_volume(scene, array=np.zeros((4, 5, 6), np.uint8), name="map", class_name="vtkMRMLLabelMapVolumeNode")
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "move")
    for node, words in (
        (None, "No volume is chosen"),
        (colour, "photo.*3 values per voxel"),
        (labels, "map.*label map"),
        (empty, "hollow.*no voxels"),
        (transform, "move.*not a volume"),
    ):
        with pytest.raises(InputError, match=words):
            read_volume(node)


def test_a_channel_for_a_colour_takes_it_from_a_photograph(scene):
    pixels = np.arange(4 * 5 * 6 * 3, dtype=np.uint8).reshape(4, 5, 6, 3)
    photo = add_volume(scene, array=pixels, name="photo", class_name="vtkMRMLVectorVolumeNode")
    for index, channel in enumerate(("Red", "g", "BLUE")):
        volume = read_volume(photo, channel)
        assert np.array_equal(volume.array, pixels[..., index])
        assert volume.array.shape == volume.handle.world_grid.shape
    with pytest.raises(InputError, match=r"photo.*3 values per voxel"):
        read_volume(photo, "T1")
    grey = add_volume(scene)
    assert np.array_equal(read_volume(grey, "Red").array, read_volume(grey).array)


def test_a_handle_finds_its_volume_again(scene):
    node = add_volume(scene)
    assert read_volume(node).handle.find(scene) is node


def test_a_handle_notices_that_its_volume_is_gone(scene):
    node = add_volume(scene)
    handle = read_volume(node).handle
    scene.RemoveNode(node)
    with pytest.raises(InputError, match=r"T1c.*no longer in the scene"):
        handle.find(scene)


def test_a_handle_is_not_fooled_by_the_next_patient_with_the_same_node_id(scene):
    handle = read_volume(add_volume(scene)).handle
    scene.Clear(False)
    other = add_volume(scene)
    assert other.GetID() == handle.node_id, "the premise: Slicer gives the ID out again"
    with pytest.raises(InputError, match="no longer in the scene"):
        handle.find(scene)


def test_a_handle_notices_that_the_volume_was_cropped_or_moved_in_place(scene):
    node = add_volume(scene)
    handle = read_volume(node).handle
    node.SetOrigin(1, 0, 0)
    with pytest.raises(InputError, match="was changed during the run"):
        handle.find(scene)


def test_a_handle_does_not_keep_the_image_in_memory(scene):
    node = add_volume(scene)
    handle = read_volume(node).handle
    scene.RemoveNode(node)
    del node
    gc.collect()
    assert handle.weak.Get() is None


def test_a_parent_that_only_moves_in_a_chain_with_a_warp_is_refused_too(scene):
    node = add_volume(scene, parents=[geometry(origin=(1, 2, 3))])
    put_under_warp(scene, node.GetParentTransformNode())
    with pytest.raises(InputError, match="non-linear"):
        read_volume(node)
