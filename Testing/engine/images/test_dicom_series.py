"""DICOM series: one volume, or a sentence that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.dicom import list_series
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid

ORIENTATION = (1.0, 0.0, 0.0, 0.0, 0.8, 0.6)  # tilted about the left-right axis
NORMAL = np.cross(ORIENTATION[:3], ORIENTATION[3:])


def write_series(
    folder: Path, *, positions, uid: str = "1.2.3", description: str = "T1 tilted", slopes=None, modality="MR"
) -> np.ndarray:
    """Write one slice for each position (mm along the normal, or an LPS point) and return the voxels."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(len(positions))
    voxels = rng.integers(0, 900, (len(positions), 6, 8)).astype(np.int16)
    if slopes:  # the writer divides by the slope again
        voxels = (voxels * np.array(slopes)[:, None, None]).astype(np.float32)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    # File names in an order that says nothing about positions.
    order = rng.permutation(len(positions))
    for number, index in enumerate(order):
        position = positions[index]
        point = np.array([5.0, -7.0, 9.0]) + NORMAL * position if np.isscalar(position) else np.array(position)
        slice_image = sitk.GetImageFromArray(voxels[index])
        slice_image.SetSpacing((0.5, 0.75))
        tags = {
            "0008|0060": modality,
            "0008|103e": description,
            "0010|0010": "Doe^Jane",
            "0020|000d": "1.2",
            "0020|000e": uid,
            "0008|0018": f"{uid}.{index + 1}",
            "0020|0013": str(number),
            "0020|0032": "\\".join(f"{v:.9f}" for v in point),
            "0020|0037": "\\".join(f"{v:.9f}" for v in ORIENTATION),
        }
        if slopes:
            stored = {"0028|0100": "16", "0028|0101": "16", "0028|0102": "15", "0028|0103": "1"}
            tags |= stored | {"0028|1053": str(slopes[index]), "0028|1052": "0"}
        for key, value in tags.items():
            slice_image[key] = value
        writer.SetFileName(str(folder / f"{uid}-{number:03d}.dcm"))
        writer.Execute(slice_image)
    return voxels


def test_slices_are_put_in_order_by_their_positions(tmp_path):
    voxels = write_series(tmp_path / "s", positions=[0.0, 3.0, 6.0, 9.0])
    image = read_image(tmp_path / "s")
    assert np.array_equal(sitk.GetArrayViewFromImage(image), voxels)
    direction = np.column_stack([ORIENTATION[:3], ORIENTATION[3:], NORMAL])
    expected = Grid((8, 6, 4), (0.5, 0.75, 3.0), (5.0, -7.0, 9.0), tuple(direction.ravel()))
    assert Grid.from_image(image).same_as(expected)
    assert not image.GetMetaDataKeys()


def test_a_missing_slice_is_refused(tmp_path):
    write_series(tmp_path / "s", positions=[0.0, 3.0, 9.0, 12.0, 15.0])
    with pytest.raises(InputError, match=r"most lie 3\.00 mm apart, but some 6\.00 mm") as caught:
        read_image(tmp_path / "s")
    assert caught.value.code == "missing-slices"


def test_positions_rounded_to_hundredths_are_accepted(tmp_path):
    write_series(tmp_path / "s", positions=[0.0, 3.01, 6.0, 8.99, 12.0])
    assert Grid.from_image(read_image(tmp_path / "s")).spacing[2] == pytest.approx(3.0)


def test_several_volumes_in_one_series_are_refused(tmp_path):
    write_series(tmp_path / "s", positions=[0.0, 3.0, 6.0, 0.0, 3.0, 6.0])
    with pytest.raises(InputError, match="several volumes"):
        read_image(tmp_path / "s")


def test_slices_shifted_sideways_are_refused(tmp_path):
    start = np.array([5.0, -7.0, 9.0])
    write_series(tmp_path / "s", positions=[tuple(start + NORMAL * 3 * n + [0.4 * n, 0, 0]) for n in range(4)])
    with pytest.raises(InputError, match="gantry tilt"):
        read_image(tmp_path / "s")


def test_one_slice_is_not_a_volume(tmp_path):
    write_series(tmp_path / "s", positions=[0.0])
    with pytest.raises(InputError, match="one slice only"):
        read_image(tmp_path / "s")


def test_two_series_are_listed_and_can_be_chosen(tmp_path):
    folder = tmp_path / "s"
    write_series(folder, positions=[0.0, 3.0, 6.0], uid="1.2.3", description="T1 pre")
    wanted = write_series(folder, positions=[0.0, 3.0, 6.0, 9.0], uid="1.2.4", description="T1 post")
    with pytest.raises(InputError, match="holds 2 DICOM series") as caught:
        read_image(folder)
    assert f"“T1 pre” (3 slices): {folder}#1.2.3" in caught.value.remedy
    assert f"“T1 post” (4 slices): {folder}#1.2.4" in caught.value.remedy
    assert np.array_equal(sitk.GetArrayFromImage(read_image(f"{folder}#1.2.4")), wanted)
    with pytest.raises(InputError, match=r"no series 9\.9"):
        read_image(f"{folder}#9.9")


def test_slopes_that_differ_by_slice_keep_fractions(tmp_path):
    voxels = write_series(tmp_path / "s", positions=[0.0, 3.0, 6.0], slopes=[1, 0.5, 0.25], modality="PT")
    assert np.any(voxels % 1), "the premise"
    assert np.array_equal(sitk.GetArrayFromImage(read_image(tmp_path / "s")), voxels)


def test_one_file_of_a_series_is_refused_with_the_folder_to_give(tmp_path):
    write_series(tmp_path / "s", positions=[0.0, 3.0])
    file = next((tmp_path / "s").iterdir())
    with pytest.raises(InputError, match="Give the folder") as caught:
        read_image(file)
    assert str(tmp_path / "s") in caught.value.remedy


def test_a_folder_of_folders_says_so(tmp_path):
    write_series(tmp_path / "T1", positions=[0.0, 3.0])
    with pytest.raises(InputError, match="no DICOM image series") as caught:
        read_image(tmp_path)
    assert "T1" in caught.value.reason


@pytest.mark.real_data
def test_a_real_series_equals_the_volume_made_from_it(shared_data):
    series = read_image(shared_data / "dicom" / "STS_002" / "MR_T1" / "image")
    volume = read_image(shared_data / "sts" / "STS_002" / "mr_t1.nii.gz")
    assert np.array_equal(sitk.GetArrayViewFromImage(series), sitk.GetArrayViewFromImage(volume))
    assert Grid.from_image(series).same_as(Grid.from_image(volume))


@pytest.mark.real_data
def test_a_tilted_real_series_lies_where_its_headers_say(shared_data):
    folder = shared_data / "dicom" / "QIN-PROSTATE-001" / "ADC"
    grid = Grid.from_image(read_image(folder))
    (series,) = list_series(folder)
    assert grid.size == (256, 256, 20)
    for k, file in enumerate(series.files):
        reader = sitk.ImageFileReader()
        reader.SetFileName(file)
        reader.ReadImageInformation()
        position = [float(v) for v in reader.GetMetaData("0020|0032").split("\\")]
        # The headers give positions to 1e-3 mm or less, so that is as near as evenly spaced slices can come.
        assert (grid.ijk_to_lps @ [0, 0, k, 1])[:3] == pytest.approx(position, abs=1e-3)


@pytest.mark.real_data
@pytest.mark.parametrize("place", ["STS_002/MR_T1/mask", "QIN-PROSTATE-001/seg"])
def test_dicom_objects_that_are_no_images_are_not_taken_for_one(shared_data, place):
    with pytest.raises(InputError, match="no DICOM image series"):
        read_image(shared_data / "dicom" / place)
