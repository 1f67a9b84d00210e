"""Real files: Slicer's reader and the command line's reader give the same voxels on the same grid."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

import slicer
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.prepare import InputSpec, prepare
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.seg_nrrd import write_seg_nrrd
from ConvNeXtSegLib.scene.segmentation import place_result
from ConvNeXtSegLib.scene.volumes import read_volume
from scene_files import load_volume
from scene_phantoms import MODEL, brain_contract, segment_array

pytestmark = pytest.mark.real_data

_OBLIQUE = "oblique/BraTS2021_01661-clinical"
_FILES = (
    "brats2021/BraTS2021_01661/flair.nii.gz",
    f"{_OBLIQUE}/t1.nii.gz",
    f"{_OBLIQUE}/t1ce.nii.gz",
    f"{_OBLIQUE}/flair.nii.gz",
    "sts/STS_002/mr_t1.nii.gz",  # qform only
    "sts/STS_002/pet.nii.gz",
    "hippocampus/images/hippocampus_015.nii.gz",
    "dicom/STS_002/MR_T1/image",
    "dicom/QIN-PROSTATE-001/ADC",  # slice positions are not quite along the slices' normal
)


@pytest.mark.parametrize("name", _FILES)
def test_both_readers_agree_exactly(scene, shared_data, name):
    image = read_image(shared_data / name)
    volume = read_volume(load_volume(scene, shared_data / name))
    array = sitk.GetArrayViewFromImage(image)
    assert volume.array.dtype == array.dtype
    assert np.array_equal(volume.array, array)
    assert volume.handle.world_grid == Grid.from_image(image)


def test_a_left_handed_file_is_the_same_image_with_slices_in_slicers_order(scene, shared_data):
    """Slicer turns left-handed files round when it loads them; in the patient nothing moves."""
    image = read_image(shared_data / _OBLIQUE / "t2.nii.gz")
    volume = read_volume(load_volume(scene, shared_data / _OBLIQUE / "t2.nii.gz"))
    assert np.linalg.det(Grid.from_image(image).direction_matrix) < 0, "the premise"
    turned = sitk.Flip(image, [False, False, True], False)  # keeps every voxel where it is
    assert np.array_equal(volume.array, sitk.GetArrayViewFromImage(turned))
    assert volume.handle.world_grid == Grid.from_image(turned)


def test_a_file_of_the_command_line_opens_over_the_volume_in_slicer(scene, shared_data, repository, tmp_path):
    contract = brain_contract(repository)
    volume = load_volume(scene, shared_data / _OBLIQUE / "t1ce.nii.gz")
    handle = read_volume(volume).handle
    truth = sitk.GetArrayFromImage(read_image(shared_data / _OBLIQUE / "seg_on_t1ce.nii.gz"))
    path = tmp_path / "result.seg.nrrd"
    write_seg_nrrd(path, truth, handle.world_grid, contract)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "from file")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    placed = place_result(scene, truth, contract, handle, MODEL)
    for label in contract.labels:
        segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(label.name)
        segment = node.GetSegmentation().GetSegment(segment_id)
        assert segment.GetColor() == pytest.approx(label.color)
        assert segment.GetTerminology() == placed.GetSegmentation().GetSegment(label.name).GetTerminology()
        assert np.array_equal(segment_array(node, label.name, volume), truth == label.value)
        assert np.array_equal(segment_array(placed, label.name, volume), truth == label.value)


@pytest.mark.parametrize("reference", ["T1c", "T2"])
def test_the_network_is_given_the_same_numbers_from_files_and_from_the_scene(scene, shared_data, reference):
    """Panel and command line must give the same mask, voxel for voxel; T2 is left-handed, all grids are oblique."""
    files = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair"}
    paths = {name: shared_data / _OBLIQUE / f"{stem}.nii.gz" for name, stem in files.items()}
    volumes = {name: read_volume(load_volume(scene, path)) for name, path in paths.items()}
    spec = InputSpec(tuple(files), (3.0, 3.0, 3.0))
    from_files = prepare(Study({name: read_image(path) for name, path in paths.items()}, reference), spec)
    from_scene = prepare(
        Study({name: v.handle.world_grid.image(v.array) for name, v in volumes.items()}, reference), spec
    )
    assert from_files.grid == from_scene.grid
    assert np.array_equal(from_files.array, from_scene.array)
