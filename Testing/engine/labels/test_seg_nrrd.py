"""Slicer's segmentation file, written here and read by Slicer's own code, and the other way round."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from vtk.util.numpy_support import vtk_to_numpy

import slicer
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.check import compose_mask
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.labels.label_file import read_label
from convnextseg_engine.labels.seg_nrrd import read_seg_nrrd, write_seg_nrrd
from convnextseg_engine.labels.terminology import terminology_entry


def load(scene, path: Path):
    """Load a file as Slicer does."""
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(node)
    return node


def save(scene, node, path: Path, *, crop: bool = True) -> None:
    """Save a node as Slicer does."""
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    storage.SetCropToMinimumExtent(crop)
    assert storage.WriteData(node)


def oriented(array: np.ndarray, grid: Grid):
    """An array as Slicer's labelmap of one segment."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(*grid.size)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars()).reshape(grid.shape)[:] = array
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(grid.ijk_to_ras.ravel())
    image.SetImageToWorldMatrix(matrix)
    return image


def segmentation(scene, grid: Grid, segments: list[tuple[str, str | None, np.ndarray]]):
    """A node with the given segments: name, terminology text, voxels."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    for name, entry, array in segments:
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.AddRepresentation("Binary labelmap", oriented(array.astype(np.uint8), grid))
        if entry:
            segment.SetTag("TerminologyEntry", entry)
        assert node.GetSegmentation().AddSegment(segment)
    return node


def by_contract(mask: np.ndarray, contract: LabelContract) -> list[tuple[str, str, np.ndarray]]:
    return [(x.name, terminology_entry(x), mask == x.value) for x in contract.labels]


def test_what_is_written_is_what_is_read(tmp_path, mask, grid, contract):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, grid, contract, source="brain-tumour@v1")
    read = read_seg_nrrd(tmp_path / "a.seg.nrrd")
    assert read.grid.same_as(grid)
    assert [s.name for s in read.segments] == ["edema", "core", "enhancing"]
    assert [s.code for s in read.segments] == [x.type for x in contract.labels]
    assert np.array_equal(compose_mask(read.segments, contract, grid), mask)
    assert sitk.ReadImage(str(tmp_path / "a.seg.nrrd")).GetMetaData("ConvNeXtSeg_Source") == "brain-tumour@v1"


def test_slicer_shows_names_colours_terminology_and_places(tmp_path, scene, mask, grid, contract):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, grid, contract)
    node = load(scene, tmp_path / "a.seg.nrrd")
    loaded = node.GetSegmentation()
    assert loaded.GetNumberOfSegments() == 3
    for index, label in enumerate(contract.labels):
        segment = loaded.GetNthSegment(index)
        assert segment.GetName() == label.name
        assert segment.GetColor() == pytest.approx(label.color, abs=1e-3)
        tag = vtk.reference("")
        assert segment.GetTag("TerminologyEntry", tag)
        assert str(tag) == terminology_entry(label)
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(loaded.GetNthSegmentID(index), image)
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
        low_i, _, low_j, _, low_k, _ = image.GetExtent()
        array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
        indices = np.argwhere(array)[:, ::-1] + [low_i, low_j, low_k]
        positions = indices @ to_ras[:3, :3].T + to_ras[:3, 3]
        expected = np.argwhere(mask == label.value)[:, ::-1] @ grid.ijk_to_ras[:3, :3].T + grid.ijk_to_ras[:3, 3]
        assert positions == pytest.approx(expected, abs=1e-4)


def test_slicer_knows_the_grid_on_which_to_edit(tmp_path, scene, mask, grid, contract):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, grid, contract)
    loaded = load(scene, tmp_path / "a.seg.nrrd").GetSegmentation()
    image = slicer.vtkOrientedImageData()
    text = loaded.GetConversionParameter("Reference image geometry")
    assert slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    assert Grid.from_ijk_to_ras(to_ras, image.GetDimensions()).same_as(grid)


def test_saving_again_from_slicer_keeps_the_mask(tmp_path, scene, mask, grid, contract):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, grid, contract)
    for crop in (False, True):
        save(scene, load(scene, tmp_path / "a.seg.nrrd"), tmp_path / "b.seg.nrrd", crop=crop)
        assert np.array_equal(read_label(tmp_path / "b.seg.nrrd", contract, grid), mask)


def test_a_file_that_slicer_cropped_is_put_into_its_place(tmp_path, scene, mask, grid, contract):
    save(scene, segmentation(scene, grid, by_contract(mask, contract)), tmp_path / "a.seg.nrrd")
    assert read_seg_nrrd(tmp_path / "a.seg.nrrd").grid.size < grid.size
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)


def test_reordered_and_renamed_segments_give_the_same_mask(tmp_path, scene, mask, grid, contract):
    edema, core, enhancing = by_contract(mask, contract)
    node = segmentation(scene, grid, [("a", *enhancing[1:]), ("b", *edema[1:]), ("c", *core[1:])])
    save(scene, node, tmp_path / "a.seg.nrrd")
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)


def test_overlapping_layers_are_read_one_by_one_and_refused_by_name(tmp_path, scene, mask, grid, contract):
    edema, core, enhancing = by_contract(mask, contract)
    node = segmentation(scene, grid, [(*edema[:2], mask > 0), core, enhancing])
    save(scene, node, tmp_path / "a.seg.nrrd")
    assert sitk.ReadImage(str(tmp_path / "a.seg.nrrd")).GetNumberOfComponentsPerPixel() > 1, "the premise"
    counts = [int(s.array.sum()) for s in read_seg_nrrd(tmp_path / "a.seg.nrrd").segments]
    assert counts == [np.count_nonzero(mask), np.count_nonzero(mask == 1), np.count_nonzero(mask == 4)]
    with pytest.raises(InputError, match="“edema” and “core” overlap in 12 voxels"):
        read_label(tmp_path / "a.seg.nrrd", contract, grid)


def test_an_empty_segment_of_slicer_means_none(tmp_path, scene, mask, grid, contract):
    without = np.where(mask == 4, 0, mask)
    save(scene, segmentation(scene, grid, by_contract(without, contract)), tmp_path / "a.seg.nrrd")
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), without)


def test_a_segmentation_with_only_empty_segments_is_an_empty_mask(tmp_path, scene, grid, contract):
    nothing = np.zeros(grid.shape, np.uint8)
    save(scene, segmentation(scene, grid, by_contract(nothing, contract)), tmp_path / "a.seg.nrrd")
    assert not read_label(tmp_path / "a.seg.nrrd", contract, grid).any()


def test_a_file_from_before_shared_layers_is_read(tmp_path, mask, grid, contract):
    layers = sitk.Compose([grid.image((mask == x.value).astype(np.uint8)) for x in contract.labels])
    for index, label in enumerate(contract.labels):
        layers[f"Segment{index}_ID"] = label.name
        layers[f"Segment{index}_Name"] = label.name
    sitk.WriteImage(layers, str(tmp_path / "a.seg.nrrd"))
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)


def test_a_plain_label_map_names_no_segments(tmp_path, mask, grid):
    sitk.WriteImage(grid.image(mask), str(tmp_path / "a.seg.nrrd"))
    with pytest.raises(InputError, match="does not say which segments") as caught:
        read_seg_nrrd(tmp_path / "a.seg.nrrd")
    assert "--label-values" in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("Segmentation_MasterRepresentation", "Fractional labelmap", "not-binary"),
        ("Segment1_Layer", "3", "bad-header"),
        ("Segment1_LabelValue", "one", "bad-header"),
    ],
)
def test_a_contradictory_header_is_refused(tmp_path, mask, grid, contract, key, value, code):
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, grid, contract)
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    image[key] = value
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    with pytest.raises(InputError) as caught:
        read_seg_nrrd(tmp_path / "a.seg.nrrd")
    assert caught.value.code == code


def test_a_file_that_is_no_image_is_refused(tmp_path):
    (tmp_path / "a.seg.nrrd").write_text("NRRD0004\n")
    with pytest.raises(InputError, match="cannot be read as a segmentation"):
        read_seg_nrrd(tmp_path / "a.seg.nrrd")


def test_a_value_without_a_label_is_not_written(tmp_path, mask, grid, contract):
    mask[0, 0, 0] = 3
    with pytest.raises(InputError, match="the value 3, which is not a label"):
        write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, grid, contract)
    assert not list(tmp_path.iterdir())
