"""A corrected segmentation becomes exactly the mask that a person sees, or is refused with the segment's name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

import slicer
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.check import compose_mask
from convnextseg_engine.labels.contract import Code, Label, LabelContract
from ConvNeXtSegLib.scene.export import export_case, segments_on
from ConvNeXtSegLib.scene.segmentation import place_result
from ConvNeXtSegLib.scene.volumes import read_volume
from scene_phantoms import (
    GEOMETRIES,
    MODEL,
    PARENTS,
    SHAPE,
    add_volume,
    brain_contract,
    geometry,
    phantom_image,
    phantom_mask,
    put_under,
    put_under_warp,
    rotation,
    segment_array,
    to_world,
)


@pytest.fixture
def contract(repository):
    return brain_contract(repository)


@pytest.fixture
def case_set(tmp_path, contract):
    return CaseSet.create(tmp_path / "set", contract)


@pytest.fixture
def volume(scene):
    return add_volume(scene, GEOMETRIES["oblique"], parents=PARENTS["moved and turned"])


@pytest.fixture
def node(scene, volume, contract):
    return place_result(scene, phantom_mask(), contract, read_volume(volume).handle, MODEL)


def exported(node, volume, contract):
    return compose_mask(segments_on(node, volume), contract)


def paint(node, volume, name, index, value=1):
    array = segment_array(node, name, volume).astype(np.uint8)
    array[index] = value
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segment_id, volume)


@pytest.mark.parametrize("parents", PARENTS.values(), ids=PARENTS)
@pytest.mark.parametrize("matrix", GEOMETRIES.values(), ids=GEOMETRIES)
def test_what_goes_in_comes_out(scene, contract, matrix, parents):
    volume = add_volume(scene, matrix, parents=parents)
    node = place_result(scene, phantom_mask(), contract, read_volume(volume).handle, MODEL)
    assert np.array_equal(exported(node, volume, contract), phantom_mask())


def test_a_correction_is_exported_voxel_for_voxel(node, volume, contract):
    paint(node, volume, "core", (7, 1, 2))
    paint(node, volume, "edema", (1, 3, 5), 0)
    expected = phantom_mask()
    expected[7, 1, 2], expected[1, 3, 5] = 1, 0
    assert np.array_equal(exported(node, volume, contract), expected)


def test_the_order_of_segments_does_not_matter(node, volume, contract):
    content = node.GetSegmentation()
    for order in (["enhancing", "core", "edema"], ["core", "edema", "enhancing"]):
        content.ReorderSegments(order)
        assert [content.GetNthSegmentID(n) for n in range(3)] == order
        assert np.array_equal(exported(node, volume, contract), phantom_mask())


def test_renamed_segments_are_known_by_their_code(node, volume, contract):
    for segment_id, name in (("edema", "Ödem"), ("core", "NCR"), ("enhancing", "ET (checked)")):
        node.GetSegmentation().GetSegment(segment_id).SetName(name)
    assert np.array_equal(exported(node, volume, contract), phantom_mask())


def test_segments_without_code_are_known_by_their_name(node, volume, contract):
    for label in contract.labels:
        node.GetSegmentation().GetSegment(label.name).RemoveTag("TerminologyEntry")
    assert np.array_equal(exported(node, volume, contract), phantom_mask())


def test_hidden_segments_are_exported_too(node, volume, contract):
    node.GetDisplayNode().SetAllSegmentsVisibility(False)
    assert np.array_equal(exported(node, volume, contract), phantom_mask())


def test_an_empty_segment_says_that_there_is_none(scene, volume, contract):
    mask = phantom_mask()
    mask[mask == 4] = 1
    node = place_result(scene, mask, contract, read_volume(volume).handle, MODEL)
    assert np.array_equal(exported(node, volume, contract), mask)


def test_a_name_that_contradicts_its_code_is_refused(node, volume, contract):
    node.GetSegmentation().GetSegment("core").SetName("enhancing")
    node.GetSegmentation().GetSegment("enhancing").SetName("core")
    with pytest.raises(InputError, match="has the terminology of the label"):
        exported(node, volume, contract)


def test_an_unknown_segment_is_refused_by_name(node, volume, contract):
    node.GetSegmentation().AddEmptySegment("x", "resection cavity")
    paint(node, volume, "resection cavity", (9, 13, 17))
    with pytest.raises(InputError, match=r"“resection cavity” is not a label"):
        exported(node, volume, contract)


def test_a_missing_label_is_refused_by_name(node, volume, contract):
    node.GetSegmentation().RemoveSegment("enhancing")
    with pytest.raises(InputError, match=r"“enhancing” is missing"):
        exported(node, volume, contract)


def test_overlapping_segments_are_refused_by_name(scene, node, volume, contract):
    replace_in_own_layer(scene, node, volume, "core", phantom_mask() >= 1)
    with pytest.raises(InputError, match=r"“edema” and “core” overlap in \d+ voxels"):
        exported(node, volume, contract)


def test_a_segmentation_under_another_transform_is_refused(scene, node, volume, contract):
    put_under(scene, node, [geometry(origin=(2.5, 0, 0), turn=rotation((0, 0, 1), 3))])
    with pytest.raises(InputError, match=r"T1c segmentation.*not where the volume “T1c” is.* mm"):
        exported(node, volume, contract)


def test_another_transform_that_does_the_same_is_accepted(scene, node, volume, contract):
    put_under(scene, node, PARENTS["moved and turned"])
    assert node.GetTransformNodeID() != volume.GetTransformNodeID()
    assert np.array_equal(exported(node, volume, contract), phantom_mask())


def test_a_warped_segmentation_is_refused(scene, node, volume, contract):
    put_under_warp(scene, node)
    with pytest.raises(InputError, match="non-linear"):
        exported(node, volume, contract)


@pytest.mark.parametrize(
    "matrix",
    [
        geometry((0.9375, 0.9375, 3.3), (61.6, -80.7, 33.1), rotation((1, 2, 0.5), 31)),  # half a voxel aside
        geometry((0.9375, 0.9375, 1.65), (61.2, -80.7, 33.1), rotation((1, 2, 0.5), 31)),  # finer slices
        geometry((0.9375, 0.9375, 3.3), (61.2, -80.7, 33.1), rotation((1, 2, 0.5), 31.1)),  # turned a little
    ],
    ids=["shifted", "finer", "turned"],
)
def test_segments_drawn_on_another_grid_are_refused_by_name(scene, node, contract, matrix):
    other = add_volume(scene, matrix, name="T2", parents=PARENTS["moved and turned"])
    with pytest.raises(InputError, match=r"“edema” does not lie on the voxels of “T2”"):
        exported(node, other, contract)


def test_a_segment_that_would_be_cut_is_refused_with_how_much(scene, node, contract):
    # A crop of the volume: the same voxels, but the first eight columns are missing.
    matrix = GEOMETRIES["oblique"] @ geometry(origin=(8, 0, 0))
    crop = add_volume(
        scene, matrix, name="crop", array=phantom_image()[:, :, 8:].copy(), parents=PARENTS["moved and turned"]
    )
    inside, all_of_it = (np.count_nonzero(m == 2) for m in (phantom_mask()[:, :, 8:], phantom_mask()))
    with pytest.raises(InputError, match=rf"“edema” extends beyond.*{all_of_it - inside} of its {all_of_it} voxels"):
        exported(node, crop, contract)


def test_a_larger_volume_with_the_same_voxels_is_accepted(scene, node, contract):
    matrix = GEOMETRIES["oblique"] @ geometry(origin=(-2, -1, -3))
    array = np.pad(phantom_image(), ((3, 1), (1, 0), (2, 2)))
    larger = add_volume(scene, matrix, name="larger", array=array, parents=PARENTS["moved and turned"])
    expected = np.pad(phantom_mask(), ((3, 1), (1, 0), (2, 2)))
    assert np.array_equal(exported(node, larger, contract), expected)


def test_a_surface_only_segmentation_is_refused(scene, volume, contract, node):
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()
    with pytest.raises(InputError, match=r"“edema” has no voxels of its own"):
        exported(node, volume, contract)


def test_without_segmentation_there_is_nothing_to_export(scene, volume):
    for nothing in (None, scene.AddNewNodeByClass("vtkMRMLSegmentationNode")):
        with pytest.raises(InputError, match="no segmentation"):
            segments_on(nothing, volume)


def test_exporting_changes_nothing_in_the_scene(scene, node, volume, contract):
    before = [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]
    content = node.GetSegmentation().GetMTime()
    exported(node, volume, contract)
    assert [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())] == before
    assert node.GetSegmentation().GetMTime() == content


def test_a_case_holds_the_corrected_mask_and_every_channel_where_the_scene_shows_it(scene, node, volume, case_set):
    parents = (geometry(origin=(1, 2, 3), turn=rotation((0, 0, 1), 5)),)
    flair = add_volume(scene, GEOMETRIES["anisotropic"], name="Jane Doe FLAIR", parents=parents)
    paint(node, volume, "core", (7, 1, 2))
    expected = phantom_mask()
    expected[7, 1, 2] = 1
    case = export_case(node, {"T1c": volume, "FLAIR": flair}, "T1c", case_set, "case-1", "train")
    assert np.array_equal(case.mask(), expected)
    study = case.study()
    assert study.reference == "T1c"
    for name, node_of, where in (
        ("T1c", volume, to_world(PARENTS["moved and turned"]) @ GEOMETRIES["oblique"]),
        ("FLAIR", flair, to_world(parents) @ GEOMETRIES["anisotropic"]),
    ):
        image = study.channels[name]
        assert Grid.from_image(image).same_as(Grid.from_ijk_to_ras(where, SHAPE[::-1]))
        array = sitk.GetArrayFromImage(image)
        assert array.dtype == np.int16
        assert np.array_equal(array, slicer.util.arrayFromVolume(node_of))
    record = json.loads((case.folder / "case.json").read_text(encoding="utf-8"))
    assert record["origin"] == {"program": "3D Slicer", "model": "phantom", "model_version": "v1", "corrected": True}


def test_no_name_from_the_scene_reaches_the_disk(scene, node, volume, case_set):
    volume.SetName("DOE^JANE 1970")
    node.SetName("DOE^JANE segmentation")
    case = export_case(node, {"T1c": volume}, "T1c", case_set, "case-1", "train")
    for file in case.folder.rglob("*"):
        assert "DOE" not in file.name
        assert b"DOE" not in file.read_bytes()


def test_a_refused_export_writes_no_case(scene, node, volume, case_set):
    node.GetSegmentation().RemoveSegment("core")
    with pytest.raises(InputError):
        export_case(node, {"T1c": volume}, "T1c", case_set, "case-1", "train")
    assert case_set.cases() == []


def test_a_reference_without_volume_is_refused(node, volume, case_set):
    with pytest.raises(InputError, match="reference channel"):
        export_case(node, {"T1c": volume}, "T2", case_set, "case-1", "train")


def replace_in_own_layer(scene, node, volume, name, inside):
    """Give a segment voxels that overlap others, as drawing with “Allow overlap” does."""
    single = place_result(
        scene, np.where(inside, 1, 0).astype(np.uint8), _one_label(), read_volume(volume).handle, MODEL
    )
    node.GetSegmentation().RemoveSegment(name)
    segment = single.GetSegmentation().GetSegment("core")
    node.GetSegmentation().AddSegment(segment, name)
    scene.RemoveNode(single)
    assert node.GetSegmentation().GetNumberOfLayers() == 2


def _one_label():
    altered, necrosis = Code("SCT", "49755003", "Altered"), Code("SCT", "6574001", "Necrosis")
    return LabelContract((Label("core", 1, altered, necrosis, None, (1, 0, 0)),), ())
