"""Real studies: the panel's mask is the command line's, voxel for voxel, and lies at the same place in the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from panel.panel_fixtures import OpenPanel
from scene_files import load_volume

pytestmark = pytest.mark.real_data

_MODEL = "demo-brain-tumour@v1"
_OBLIQUE = "oblique/BraTS2021_01661-clinical"
# Channels on four different grids, one of them left-handed and one 5 mm thick; and a DICOM series.
_STUDIES = {
    "oblique": ({"T1c": "t1ce.nii.gz", "T1": "t1.nii.gz", "T2": "t2.nii.gz", "FLAIR": "flair.nii.gz"}, _OBLIQUE, "T1c"),
    "thick slices": ({"T1": "t1.nii.gz", "FLAIR": "flair.nii.gz"}, _OBLIQUE, "T1"),
    "DICOM series": ({"T1": "image"}, "dicom/STS_002/MR_T1", "T1"),
}


@pytest.mark.parametrize("name", _STUDIES)
def test_panel_and_command_line_give_the_same_mask(
    open_panel: OpenPanel, shared_data: Path, tmp_path: Path, name: str
) -> None:
    from convnextseg_engine.cli.main import main

    files, folder, reference = _STUDIES[name]
    paths = {channel: shared_data / folder / file for channel, file in files.items()}
    output = tmp_path / "result.seg.nrrd"
    images = [f"--image={channel}={path}" for channel, path in paths.items()]
    assert main(["segment", "--model", _MODEL, *images, "--reference", reference, "--output", str(output)]) == 0
    from_command_line = _mask_of_file(output, open_panel)

    segment = open_panel.segment
    segment.ui.modelSelector.setCurrentIndex(segment.ui.modelSelector.findData(_MODEL))
    volumes = {channel: load_volume(open_panel.scene, path) for channel, path in paths.items()}
    for channel, selector in segment.channels.selectors.items():
        selector.setCurrentNode(volumes.get(channel))
    segment.ui.referenceSelector.setCurrentIndex(segment.ui.referenceSelector.findData(reference))
    open_panel.click_segment()
    assert not segment.failed, segment.messages.text
    (node,) = open_panel.segmentations
    from_panel = open_panel.mask_of(node, volumes[reference])
    if name != "DICOM series":  # a sarcoma of the leg is nothing for this model, but the path is the same
        assert np.count_nonzero(from_panel) > 1000
    np.testing.assert_array_equal(from_panel, from_command_line)
    np.testing.assert_allclose(_ijk_to_ras(volumes[reference]), _file_ijk_to_ras(output), atol=1e-4)


def _mask_of_file(path: Path, panel: OpenPanel) -> np.ndarray:
    """The file's mask by the contract's values, found by the names of its segments."""
    from convnextseg_engine.synthetic.brain import brain_tumour_contract

    image = sitk.ReadImage(str(path))
    stored = sitk.GetArrayFromImage(image)
    mask = np.zeros(stored.shape, np.uint8)
    for n in range(3):
        name, value = image.GetMetaData(f"Segment{n}_Name"), int(image.GetMetaData(f"Segment{n}_LabelValue"))
        mask[stored == value] = brain_tumour_contract().label(name).value
    return mask


def _ijk_to_ras(volume) -> np.ndarray:
    import vtk

    import slicer

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _file_ijk_to_ras(path: Path) -> np.ndarray:
    from convnextseg_engine.images.grid import Grid

    return Grid.from_image(sitk.ReadImage(str(path))).ijk_to_ras
