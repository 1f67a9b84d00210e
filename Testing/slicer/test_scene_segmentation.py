"""A result becomes named, coded, disjoint segments exactly on the voxels of the volume that was segmented."""

from __future__ import annotations

import numpy as np
import pytest

import slicer
from convnextseg_engine.errors import InputError
from ConvNeXtSegLib.scene.segmentation import place_result, source_volume
from ConvNeXtSegLib.scene.volumes import read_volume
from scene_phantoms import (
    GEOMETRIES,
    MODEL,
    PARENTS,
    SHAPE,
    add_volume,
    brain_contract,
    mask_points,
    phantom_mask,
    put_under,
    segment_array,
    segment_points,
)


@pytest.fixture
def contract(repository):
    return brain_contract(repository)


def place(scene, volume, contract, mask=None, **more):
    mask = phantom_mask() if mask is None else mask
    return place_result(scene, mask, contract, read_volume(volume).handle, more.pop("model", MODEL), **more)


def segments(node):
    content = node.GetSegmentation()
    return [content.GetNthSegment(n) for n in range(content.GetNumberOfSegments())]


@pytest.mark.parametrize("parents", PARENTS.values(), ids=PARENTS)
@pytest.mark.parametrize("matrix", GEOMETRIES.values(), ids=GEOMETRIES)
def test_every_voxel_lies_where_the_mask_says(scene, contract, matrix, parents):
    volume = add_volume(scene, matrix, parents=parents)
    node = place(scene, volume, contract)
    mask = phantom_mask()
    for label in contract.labels:
        assert np.array_equal(segment_array(node, label.name, volume), mask == label.value)
        points, expected = segment_points(node, label.name), mask_points(mask, label.value, matrix, parents)
        assert points.shape == expected.shape
        assert np.abs(points - expected).max() < 1e-4
    assert node.GetTransformNodeID() == volume.GetTransformNodeID()


def test_segments_have_names_colours_terminology_and_are_drafts(scene, contract):
    node = place(scene, add_volume(scene), contract)
    assert [s.GetName() for s in segments(node)] == ["edema", "core", "enhancing"]
    for segment, label in zip(segments(node), contract.labels, strict=True):
        assert segment.GetColor() == pytest.approx(label.color)
        assert f"~{label.type.scheme}^{label.type.value}^{label.type.meaning}~" in segment.GetTerminology()
        assert "SCT^12738006^Brain" in segment.GetTerminology()
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        assert logic.GetSegmentStatus(segment) == logic.InProgress


def test_slicer_understands_the_terminology_text(scene, contract):
    node = place(scene, add_volume(scene), contract)
    entry = slicer.vtkSlicerTerminologyEntry()
    logic = slicer.modules.terminologies.logic()
    for segment, label in zip(segments(node), contract.labels, strict=True):
        assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
        kind, region = entry.GetTypeObject(), entry.GetRegionObject()
        stated = (kind.GetCodingSchemeDesignator(), kind.GetCodeValue(), kind.GetCodeMeaning())
        assert stated == (label.type.scheme, label.type.value, label.type.meaning)
        assert (region.GetCodeValue(), region.GetCodeMeaning()) == (label.anatomy.value, label.anatomy.meaning)


def test_the_segments_share_one_layer_and_so_are_disjoint(scene, contract):
    assert place(scene, add_volume(scene), contract).GetSegmentation().GetNumberOfLayers() == 1


def test_labels_that_do_not_occur_are_empty_segments(scene, contract):
    volume = add_volume(scene)
    mask = phantom_mask()
    mask[mask == 4] = 1
    node = place(scene, volume, contract, mask)
    assert not segment_array(node, "enhancing", volume).any()
    assert segment_array(node, "core", volume).sum() == np.count_nonzero(mask == 1)


def test_an_empty_mask_gives_three_empty_segments(scene, contract):
    volume = add_volume(scene)
    node = place(scene, volume, contract, np.zeros(SHAPE, np.uint8))
    assert len(segments(node)) == 3
    assert not any(segment_array(node, label.name, volume).any() for label in contract.labels)


@pytest.mark.parametrize("parents", PARENTS.values(), ids=PARENTS)
def test_the_editor_gets_the_volume_and_its_whole_grid(scene, contract, parents):
    volume = add_volume(scene, GEOMETRIES["oblique"], parents=parents)
    node = place(scene, volume, contract)
    assert source_volume(node) is volume
    text = node.GetSegmentation().GetConversionParameter(
        slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    )
    image = slicer.vtkOrientedImageData()
    assert slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image)
    assert tuple(reversed(image.GetDimensions())) == SHAPE
    assert np.allclose(image.GetOrigin(), GEOMETRIES["oblique"][:3, 3], atol=1e-6), "geometry in its own coordinates"


def test_the_node_says_which_model_made_it_and_what_it_is_not_for(scene, contract):
    node = place(scene, add_volume(scene), contract)
    assert node.GetAttribute("ConvNeXtSeg.Model") == "phantom"
    assert node.GetAttribute("ConvNeXtSeg.ModelVersion") == "v1"
    assert "not for clinical use" in node.GetAttribute("ConvNeXtSeg.Notice").lower()


def test_the_segmentation_is_listed_beside_its_volume(scene, contract):
    volume = add_volume(scene)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, volume)
    node = place(scene, volume, contract)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_a_file_of_slicer_reads_back_with_everything(scene, contract, tmp_path):
    volume = add_volume(scene, GEOMETRIES["left-handed"])
    node = place(scene, volume, contract)
    back = save_and_load(scene, node, tmp_path / "result.seg.nrrd")
    mask = phantom_mask()
    found = {segment.GetName(): segment for segment in segments(back)}
    assert set(found) == {"edema", "core", "enhancing"}
    for label in contract.labels:
        original = node.GetSegmentation().GetSegment(label.name)
        assert found[label.name].GetColor() == pytest.approx(label.color, abs=1e-3)
        assert found[label.name].GetTerminology() == original.GetTerminology()
        assert np.array_equal(segment_array(back, label.name, volume), mask == label.value)
        expected = mask_points(mask, label.value, GEOMETRIES["left-handed"], ())
        assert np.abs(segment_points(back, label.name) - expected).max() < 1e-4


def test_a_second_run_refreshes_a_result_that_nobody_touched(scene, contract):
    volume = add_volume(scene, parents=PARENTS["moved and turned"])
    first = place(scene, volume, contract)
    changed = phantom_mask()
    changed[changed == 1] = 4
    second = place(scene, volume, contract, changed, previous_id=first.GetID(), model={**MODEL, "version": "v2"})
    assert second is first
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
    assert segment_array(second, "enhancing", volume).sum() == np.count_nonzero(changed == 4)
    assert second.GetAttribute("ConvNeXtSeg.ModelVersion") == "v2"


def test_a_refresh_follows_the_volume_to_its_new_transform(scene, contract):
    volume = add_volume(scene)
    first = place(scene, volume, contract)
    put_under(scene, volume, PARENTS["moved and turned"])
    assert place(scene, volume, contract, previous_id=first.GetID()) is first
    expected = mask_points(phantom_mask(), 4, np.eye(4), PARENTS["moved and turned"])
    assert np.abs(segment_points(first, "enhancing") - expected).max() < 1e-4


def test_a_refreshed_result_keeps_its_surface_in_3d(scene, contract):
    volume = add_volume(scene)
    first = place(scene, volume, contract)
    first.CreateClosedSurfaceRepresentation()
    name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    place(scene, volume, contract, previous_id=first.GetID())
    assert first.GetSegmentation().ContainsRepresentation(name)


def test_a_result_that_a_person_touched_is_never_written_over(scene, contract):
    volume = add_volume(scene)
    first = place(scene, volume, contract)
    edited = segment_array(first, "core", volume).astype(np.uint8)
    edited[0, 0, 0] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(edited, first, "core", volume)
    second = place(scene, volume, contract, previous_id=first.GetID())
    assert second is not first
    assert np.array_equal(segment_array(first, "core", volume), edited != 0)
    assert (first.GetName(), second.GetName()) == ("T1c segmentation", "T1c segmentation 2")


def test_a_result_of_another_volume_or_model_stays(scene, contract):
    volume = add_volume(scene)
    first = place(scene, volume, contract)
    other = place(scene, add_volume(scene, name="T1c of June"), contract, previous_id=first.GetID())
    another_model = place(scene, volume, contract, previous_id=first.GetID(), model={**MODEL, "name": "other"})
    assert len({first.GetID(), other.GetID(), another_model.GetID()}) == 3


def test_a_previous_id_that_is_no_segmentation_any_more_is_ignored(scene, contract):
    volume = add_volume(scene)
    node = place(scene, volume, contract, previous_id=volume.GetID())
    assert node.IsA("vtkMRMLSegmentationNode")
    assert place(scene, volume, contract, previous_id="vtkMRMLSegmentationNode99") is not node


def test_a_result_for_a_volume_that_is_gone_leaves_the_scene_as_it_is(scene, contract):
    volume = add_volume(scene)
    handle = read_volume(volume).handle
    scene.RemoveNode(volume)
    with pytest.raises(InputError, match=r"T1c.*no longer in the scene"):
        place_result(scene, phantom_mask(), contract, handle, MODEL)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_result_that_arrives_while_the_scene_is_closing_creates_nothing(scene, contract):
    handle = read_volume(add_volume(scene)).handle
    refused = []

    def arrive(*_):
        try:
            place_result(scene, phantom_mask(), contract, handle, MODEL)
        except InputError as error:
            refused.append(error.code)

    tags = [scene.AddObserver(event, arrive) for event in (scene.StartCloseEvent, scene.EndCloseEvent)]
    scene.Clear(False)
    for tag in tags:
        scene.RemoveObserver(tag)
    assert refused == ["volume-gone", "volume-gone"]
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_mask_of_another_size_or_with_unknown_values_is_a_bug_and_leaves_nothing(scene, contract):
    volume = add_volume(scene)
    for mask in (np.zeros((3, 4, 5), np.uint8), np.full(SHAPE, 3, np.uint8)):
        with pytest.raises(ValueError, match="mask"):
            place(scene, volume, contract, mask)
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def save_and_load(scene, node, path):
    storage = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    back = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "back")
    reader = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(reader)
    reader.SetFileName(str(path))
    assert reader.ReadData(back)
    return back
