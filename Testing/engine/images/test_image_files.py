"""Reading and writing image files."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError, ResourceError
from convnextseg_engine.images import files
from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.nifti import check_nifti_complete
from convnextseg_engine.images.study import Study

GRID = Grid((7, 6, 5), (0.9, 1.1, 2.5), (10.0, -20.0, 30.0), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))


@pytest.fixture
def image() -> sitk.Image:
    rng = np.random.default_rng(1)
    return GRID.image(rng.integers(-100, 3000, GRID.shape).astype(np.int16))


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz", "a.nii", "a.mha"])
def test_what_is_written_is_what_is_read(tmp_path, image, name):
    write_image(image, tmp_path / name)
    back = read_image(tmp_path / name)
    assert np.array_equal(sitk.GetArrayViewFromImage(back), sitk.GetArrayViewFromImage(image))
    assert back.GetPixelID() == image.GetPixelID()
    assert Grid.from_image(back).same_as(GRID)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_patient_data_in_a_header_is_neither_read_nor_written(tmp_path, image):
    image["PatientName"] = "Doe^Jane"
    write_image(image, tmp_path / "a.nrrd")
    assert b"Doe" not in (tmp_path / "a.nrrd").read_bytes()
    assert image["PatientName"] == "Doe^Jane"  # the caller's image is not touched
    sitk.WriteImage(image, str(tmp_path / "b.nrrd"))
    assert b"Doe" in (tmp_path / "b.nrrd").read_bytes()
    assert not read_image(tmp_path / "b.nrrd").GetMetaDataKeys()


def test_a_failing_write_leaves_the_old_file(tmp_path, image, monkeypatch):
    path = tmp_path / "a.nrrd"
    write_image(image, path)
    before = path.read_bytes()

    def full_disk(_image, name, **_options):
        with Path(name).open("wb") as file:
            file.write(before[:20])
        raise RuntimeError("sitk::ERROR: no space left")

    monkeypatch.setattr(files.sitk, "WriteImage", full_disk)
    with pytest.raises(InputError, match="no space left"):
        write_image(image + 1, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.nrrd"]


def test_a_format_of_two_files_is_not_written(tmp_path, image):
    with pytest.raises(InputError, match=r"\.nrrd"):
        write_image(image, tmp_path / "a.mhd")
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_said_in_words(tmp_path, image):
    with pytest.raises(InputError, match="folder exists"):
        write_image(image, tmp_path / "no" / "a.nrrd")


def test_a_missing_file_is_said_in_words(tmp_path):
    with pytest.raises(InputError, match="There is no file or folder") as caught:
        read_image(tmp_path / "nothing.nii.gz")
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz", "a.nii", "a.mha"])
@pytest.mark.parametrize("kept", [0.5, 0.97])
def test_a_truncated_file_is_said_in_words(tmp_path, image, name, kept):
    """ITK itself reads truncated NIfTI files and invents the rest."""
    write_image(image, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=f"{name} cannot be read") as caught:
        read_image(tmp_path / name)
    assert "0x" not in str(caught.value)  # no object addresses


@pytest.mark.parametrize("order", "<>")
def test_a_second_version_nifti_header_is_understood(tmp_path, order):
    header = bytearray(544)
    struct.pack_into(f"{order}i8s2h8q", header, 0, 540, b"n+2\0\r\n\x1a\n", 4, 16, 3, 7, 6, 5, 1, 1, 1, 1)
    struct.pack_into(f"{order}q", header, 168, 544)
    check_nifti_complete(_written(tmp_path, bytes(header) + bytes(420)))
    with pytest.raises(InputError, match="963 bytes of the 964"):
        check_nifti_complete(_written(tmp_path, bytes(header) + bytes(419)))


def _written(folder, content):
    (folder / "b.nii").write_bytes(content)
    return folder / "b.nii"


@pytest.mark.parametrize("content", [b"", b"not an image", gzip.compress(b"neither")])
def test_a_file_that_is_no_image_is_said_in_words(tmp_path, content):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.nii\.gz cannot be read"):
        read_image(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("last", [1, 3])
def test_four_dimensions_are_refused_even_if_the_last_is_single(tmp_path, image, last):
    sitk.WriteImage(sitk.JoinSeries([image] * last), str(tmp_path / "a.nrrd"))
    with pytest.raises(InputError, match="4 dimensions") as caught:
        read_image(tmp_path / "a.nrrd")
    assert caught.value.code == "not-3d"


def test_two_dimensions_become_one_slice(tmp_path):
    flat = sitk.Image(4, 5, sitk.sitkInt16)
    flat.SetSpacing((0.5, 1.5))
    sitk.WriteImage(flat, str(tmp_path / "a.nrrd"))
    image = read_image(tmp_path / "a.nrrd")
    assert (image.GetSize(), image.GetSpacing()) == ((4, 5, 1), (0.5, 1.5, 1.0))


@pytest.mark.parametrize(("pixel", "values"), [(sitk.sitkVectorUInt8, 3), (sitk.sitkComplexFloat32, 2)])
@pytest.mark.parametrize("name", ["a.mha", "a.nrrd", "a.nii.gz"])
def test_what_is_not_one_number_per_voxel_is_refused(tmp_path, pixel, values, name):
    image = sitk.Image([4, 5, 6], pixel, values if pixel == sitk.sitkVectorUInt8 else 0)
    sitk.WriteImage(image, str(tmp_path / name))
    with pytest.raises(InputError, match=f"{values} values per voxel") as caught:
        read_image(tmp_path / name)
    assert caught.value.code == "not-scalar"


def test_a_sheared_header_is_said_in_words(tmp_path, image):
    write_image(image, tmp_path / "a.nii")
    header = bytearray((tmp_path / "a.nii").read_bytes())
    header[252:256] = np.array([0, 1], "<i2").tobytes()  # qform_code, sform_code
    sheared = np.array([[-1, -0.5, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]], "<f4")
    header[280:328] = sheared.tobytes()
    (tmp_path / "a.nii").write_bytes(header)
    with pytest.raises(InputError, match="not at right angles"):
        read_image(tmp_path / "a.nii")


def test_a_name_with_a_hash_is_a_name(tmp_path, image):
    write_image(image, tmp_path / "case#2.nrrd")
    assert read_image(tmp_path / "case#2.nrrd").GetSize() == GRID.size


def test_itk_warnings_stay_off_the_screen_and_come_back(tmp_path, image, capfd):
    write_image(image, tmp_path / "a.nrrd")
    (tmp_path / "empty").mkdir()
    assert sitk.ProcessObject.GetGlobalWarningDisplay()
    with pytest.raises(InputError):
        read_image(tmp_path / "empty")
    assert capfd.readouterr().err == ""
    assert sitk.ProcessObject.GetGlobalWarningDisplay()


def test_a_study_names_the_channel_that_does_not_fit(image):
    colour = sitk.Image([4, 5, 6], sitk.sitkVectorUInt8, 3)
    with pytest.raises(InputError, match="channel T2 has 3 values"):
        Study({"T1": image, "T2": colour}, "T1")
    with pytest.raises(InputError, match="“FLAIR” is not among"):
        Study({"T1": image}, "FLAIR")
    with pytest.raises(InputError, match="4 dimensions"):
        Study({"T1": sitk.JoinSeries([image])}, "T1")
    assert Study({"T1": image}, "T1").reference_grid.same_as(GRID)


@pytest.mark.real_data
def test_the_channels_of_an_oblique_study_share_physical_space(shared_data):
    folder = shared_data / "oblique" / "BraTS2021_01661-clinical"
    grids = {name: Grid.from_image(read_image(folder / f"{name}.nii.gz")) for name in ("t1", "t1ce", "t2", "flair")}
    names = list(grids)
    assert not any(grids[a].same_as(grids[b]) for a in names for b in names if a < b)
    centres = np.array([grid.corners().mean(axis=0) for grid in grids.values()])
    assert np.abs(centres - centres.mean(axis=0)).max() < 10  # mm: all show the same head
    assert np.linalg.det(grids["t2"].direction_matrix) == pytest.approx(-1)  # left-handed, as its source says
    assert Grid.from_image(read_image(folder / "seg_on_t1ce.nii.gz")).same_as(grids["t1ce"])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("name", ["a.nrrd", "a.nii.gz", "a.nii", "a.mha"])
@pytest.mark.parametrize("disk_is_full", [True, False])
def test_a_file_that_could_not_be_written_whole_is_an_error_and_the_old_one_stays(
    tmp_path, monkeypatch, name, disk_is_full
):
    import resource  # only on Unix

    noise = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 30000, (30, 30, 30)).astype(np.int16))
    (tmp_path / name).write_bytes(b"what was there")
    free = 0 if disk_is_full else 1 << 40
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(ResourceError if disk_is_full else InputError) as caught:
            write_image(noise, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == ("disk-full" if disk_is_full else "cannot-write")
    assert (tmp_path / name).read_bytes() == b"what was there"
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
