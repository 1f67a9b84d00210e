"""Files and DICOM series of a study on disk, with what their headers say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.sequences.assign import assign
from convnextseg_engine.images.sequences.headers import fields_of_dicom
from convnextseg_engine.images.sequences.recognise import recognise
from convnextseg_engine.images.sequences.study_folder import find_images

STUDY = {
    # folder, number of the series: description and what the header adds
    ("a", "2"): ("t1_mprage_sag", {"0018|0010": "Gadovist"}),
    ("a", "3"): ("t2_tirm_tra", {"0018|0081": "90", "0018|0080": "9000", "0018|0082": "2500", "0018|0020": "SE"}),
    ("b", "4"): ("Ax T2", {}),
    ("b/c", "5"): ("localizer", {}),
}


def write_dicom_series(folder: Path, uid: str, description: str, extra: dict[str, str], slices: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for index in range(slices):
        image = sitk.GetImageFromArray(np.full((4, 5), index + 1, np.int16))
        tags = {
            "0008|0060": "MR", "0008|103e": description, "0010|0010": "Doe^Jane", "0020|000d": "1.2", "0020|000e": uid,
            "0008|0018": f"{uid}.{index + 1}", "0020|0013": str(index), "0020|0032": f"0\\0\\{index * 3}",
            "0020|0037": "1\\0\\0\\0\\1\\0", "0008|0008": "ORIGINAL\\PRIMARY\\M",
        }  # fmt: skip
        for tag, text in (tags | extra).items():
            image[tag] = text
        writer.SetFileName(str(folder / f"{uid}-{index}.dcm"))
        writer.Execute(image)


@pytest.fixture()
def dicom_study(tmp_path: Path) -> Path:
    for (folder, number), (description, extra) in STUDY.items():
        write_dicom_series(tmp_path / "study" / folder, f"1.2.{number}", description, extra)
    (tmp_path / "study" / "notes.txt").write_text("nothing")
    return tmp_path / "study"


def test_every_series_of_a_dicom_tree_is_found_and_recognised(dicom_study: Path) -> None:
    found = find_images([dicom_study])
    kinds = {description.name: recognise(description) for description in found.values()}
    assert kinds["t1_mprage_sag"].kind == "T1c"
    assert kinds["t2_tirm_tra"].kind == "FLAIR"
    assert kinds["Ax T2"].kind == "T2"
    assert kinds["localizer"].no_channel
    chosen = assign(found, ("T1", "T1c", "T2", "FLAIR")).settled()
    assert set(chosen) == {"T1c", "T2", "FLAIR"}
    for key in chosen.values():
        assert read_image(key).GetSize() == (5, 4, 3), "the key is what read_image takes"


def test_no_field_names_a_patient(dicom_study: Path) -> None:
    fields = fields_of_dicom(next((dicom_study / "a").glob("*.dcm")))
    assert fields["Modality"] == "MR"
    assert "Doe" not in json.dumps(fields)


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [("0019|100c", "800", "800"), ("0018|9087", "1000", "1000"), ("0043|1039", "1000000700\\8\\0\\0", "700")],
)
def test_b_values_are_read_where_each_maker_keeps_them(tmp_path: Path, tag: str, text: str, value: str) -> None:
    private = {"0019|0010": "SIEMENS MR HEADER", "0043|0010": "GEMS_PARM_01"}
    creator = {key: name for key, name in private.items() if key[:4] == tag[:4]}
    write_dicom_series(tmp_path, "1.2.3", "series 9", creator | {tag: text}, slices=1)
    fields = fields_of_dicom(next(tmp_path.glob("*.dcm")))
    assert fields.get("DiffusionBValue") == value


def test_a_side_car_says_what_the_file_name_does_not(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.Image(4, 4, 4, sitk.sitkInt16), str(tmp_path / "scan_3.nii.gz"))
    side_car = {
        "Modality": "MR", "SeriesDescription": "Ax 3D", "EchoTime": 0.09, "RepetitionTime": 9, "InversionTime": 2.5,
        "ScanningSequence": ["SE", "IR"], "PatientName": "Doe",
    }  # fmt: skip
    (tmp_path / "scan_3.json").write_text(json.dumps(side_car))
    (description,) = find_images([tmp_path]).values()
    assert recognise(description).kind == "FLAIR"
    assert description.fields["InversionTime"] == "2500"
    assert "Doe" not in str(description)


def test_what_is_no_image_is_passed_over_and_nothing_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("x")
    (tmp_path / "odd").write_bytes(b"\0" * 300)
    with pytest.raises(InputError) as caught:
        find_images([tmp_path])
    assert caught.value.code == "no-image"
    with pytest.raises(InputError) as caught:
        find_images([tmp_path / "absent"])
    assert caught.value.code == "no-such-file"


@pytest.mark.real_data
def test_real_studies_are_recognised(shared_data: Path) -> None:
    channels = ("T1", "T1c", "T2", "FLAIR")
    for study in ("brats2021/BraTS2021_00006", "oblique/BraTS2021_01661-clinical", "ms/cross_patient07_mni"):
        chosen = assign(find_images([shared_data / study]), channels).settled()
        names = [Path(key).name for key in chosen.values()]
        assert names == ["t1.nii.gz", "t1ce.nii.gz", "t2.nii.gz", "flair.nii.gz"]
    kinds = [recognise(d).kind for d in find_images([shared_data / "dicom" / "QIN-PROSTATE-001"]).values()]
    assert kinds == ["ADC"]
    sts = assign(find_images([shared_data / "sts" / "STS_002"]), ("T1", "CT", "PET")).settled()
    assert [Path(key).name for key in sts.values()] == ["mr_t1.nii.gz", "ct.nii.gz", "pet.nii.gz"]
