"""The program knows its own untouched results from a person's work."""

from __future__ import annotations

import numpy as np
import pytest

import slicer
from ConvNeXtSegLib.scene.segmentation import place_result
from ConvNeXtSegLib.scene.touched import is_touched
from ConvNeXtSegLib.scene.volumes import read_volume
from scene_phantoms import GEOMETRIES, MODEL, add_volume, brain_contract, phantom_mask, segment_array


@pytest.fixture
def volume(scene):
    return add_volume(scene, GEOMETRIES["oblique"])


@pytest.fixture
def node(scene, volume, repository):
    return place_result(scene, phantom_mask(), brain_contract(repository), read_volume(volume).handle, MODEL)


def test_a_fresh_result_is_untouched(node):
    assert not is_touched(node)


def test_a_segmentation_of_a_person_is_touched(scene):
    assert is_touched(scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine"))


def _paint_one_voxel(node, volume):
    array = segment_array(node, "edema", volume).astype(np.uint8)
    array[0, 0, 0] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, "edema", volume)


def _move_by_one_voxel(node, volume):
    array = segment_array(node, "enhancing", volume).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.roll(array, 1, axis=0), node, "enhancing", volume)


def _exchange_two_segments(node, volume):
    edema, core = (segment_array(node, name, volume).astype(np.uint8) for name in ("edema", "core"))
    slicer.util.updateSegmentBinaryLabelmapFromArray(core, node, "edema", volume)
    slicer.util.updateSegmentBinaryLabelmapFromArray(edema, node, "core", volume)


def _rename_segment(node, volume):
    node.GetSegmentation().GetSegment("core").SetName("my core")


def _change_meaning(node, volume):
    core = node.GetSegmentation().GetSegment("core")
    core.SetTerminology(core.GetTerminology().replace("6574001^Necrosis", "4147007^Mass"))


def _mark_as_completed(node, volume):
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetSegmentStatus(node.GetSegmentation().GetSegment("core"), logic.Completed)


def _add_segment(node, volume):
    node.GetSegmentation().AddEmptySegment("extra", "extra")


def _remove_segment(node, volume):
    node.GetSegmentation().RemoveSegment("enhancing")


def _rename_node(node, volume):
    node.SetName("for the tumour board")


def _harden_a_shift(node, volume):
    shift = slicer.vtkMRMLLinearTransformNode()
    matrix = np.eye(4)
    matrix[0, 3] = 0.5
    slicer.util.updateTransformMatrixFromArray(shift, matrix)
    node.ApplyTransform(shift.GetTransformToParent())


@pytest.mark.parametrize(
    "edit",
    [
        _paint_one_voxel,
        _move_by_one_voxel,
        _exchange_two_segments,
        _rename_segment,
        _change_meaning,
        _mark_as_completed,
        _add_segment,
        _remove_segment,
        _rename_node,
        _harden_a_shift,
    ],
)
def test_every_edit_of_a_person_is_noticed(node, volume, edit):
    edit(node, volume)
    assert is_touched(node)


def _recolour(node, volume):
    node.GetSegmentation().GetSegment("core").SetColor(0, 0, 1)


def _hide(node, volume):
    node.GetDisplayNode().SetSegmentVisibility("core", False)


def _show_in_3d(node, volume):
    node.CreateClosedSurfaceRepresentation()


def _separate_layers(node, volume):
    array = segment_array(node, "core", volume).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, "core", volume)


def _collapse_layers(node, volume):
    _separate_layers(node, volume)
    node.GetSegmentation().CollapseBinaryLabelmaps(False)


@pytest.mark.parametrize("look", [_recolour, _hide, _show_in_3d, _separate_layers, _collapse_layers])
def test_looking_and_storing_otherwise_is_not_editing(node, volume, look):
    look(node, volume)
    assert not is_touched(node)


@pytest.mark.parametrize("matrix", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("edited", [False, True], ids=["untouched", "touched"])
def test_the_answer_survives_saving_and_loading_the_scene(scene, repository, tmp_path, matrix, edited):
    volume = add_volume(scene, matrix)
    node = place_result(scene, phantom_mask(), brain_contract(repository), read_volume(volume).handle, MODEL)
    if edited:
        _paint_one_voxel(node, volume)
    save_scene(scene, tmp_path)
    scene.Clear(False)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Connect()
    loaded = scene.GetFirstNodeByName("T1c segmentation")
    assert loaded.GetSegmentation().GetNumberOfSegments() == 3
    assert is_touched(loaded) == edited


def save_scene(scene, folder):
    """Write every storable node beside the scene file, as Slicer's Save dialog does."""
    for class_name, ending in (("vtkMRMLScalarVolumeNode", ".nrrd"), ("vtkMRMLSegmentationNode", ".seg.nrrd")):
        for node in slicer.util.getNodesByClass(class_name, scene):
            node.AddDefaultStorageNode(str(folder / f"{node.GetID()}{ending}"))
            assert node.GetStorageNode().WriteData(node)
    scene.SetURL(str(folder / "scene.mrml"))
    assert scene.Commit(str(folder / "scene.mrml"))
