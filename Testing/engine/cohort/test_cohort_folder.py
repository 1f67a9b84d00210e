from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk

from convnextseg_engine.cohort.folder_source import cases_of_folder
from convnextseg_engine.cohort.run import check_names
from convnextseg_engine.errors import InputError
from engine.inference.tiny_model import CHANNELS


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_a_folder_a_case(tmp_path: Path) -> None:
    for case in ("B 2", "A1"):
        touch(*(tmp_path / case / f"{n}.nii.gz" for n in ("t1", "t1ce", "t2", "flair", "seg")))
    first, second = cases_of_folder(tmp_path, CHANNELS)
    assert (first.id, second.id) == ("A1", "B-2")
    assert {c: Path(f).name for c, f in first.channels.items()} == {
        "T1": "t1.nii.gz", "T1c": "t1ce.nii.gz", "T2": "t2.nii.gz", "FLAIR": "flair.nii.gz",
    }  # fmt: skip
    assert first.reference == "T1"
    assert first.problem == ""
    assert cases_of_folder(tmp_path, CHANNELS, "FLAIR")[0].reference == "FLAIR"


def test_files_side_by_side_belong_together_by_their_names(tmp_path: Path) -> None:
    touch(*(tmp_path / f"P-{n}-{s}.nii.gz" for n in (1, 2) for s in ("t1n", "t1c", "t2w", "t2f")))
    cases = cases_of_folder(tmp_path, CHANNELS)
    assert [case.id for case in cases] == ["P-1", "P-2"]
    assert {c: Path(f).name for c, f in cases[1].channels.items()} == {
        "T1": "P-2-t1n.nii.gz", "T1c": "P-2-t1c.nii.gz", "T2": "P-2-t2w.nii.gz", "FLAIR": "P-2-t2f.nii.gz",
    }  # fmt: skip


def test_what_is_ambiguous_is_told_and_not_guessed(tmp_path: Path) -> None:
    touch(tmp_path / "A" / "flair_1.nii.gz", tmp_path / "A" / "flair_2.nii.gz", tmp_path / "B" / "x_0000.nii.gz")
    a, b = cases_of_folder(tmp_path, CHANNELS)
    assert "FLAIR may be any of" in a.problem
    assert b.problem
    assert "CSV" in a.problem and "CSV" in b.problem


def test_a_reference_that_a_case_lacks_is_its_problem(tmp_path: Path) -> None:
    touch(tmp_path / "A" / "flair.nii.gz")
    (case,) = cases_of_folder(tmp_path, CHANNELS, "T1c")
    assert "has no T1c" in case.problem


def test_two_folders_whose_names_differ_in_a_blank_are_not_one_patient(tmp_path: Path) -> None:
    touch(tmp_path / "P 1" / "T1c.nrrd", tmp_path / "P-1" / "FLAIR.nrrd")
    cases = cases_of_folder(tmp_path, CHANNELS)
    assert [list(case.channels) for case in cases] == [["T1c"], ["FLAIR"]]
    with pytest.raises(InputError, match=r"Two cases are named P-1\."):
        check_names(cases)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image"):
        cases_of_folder(tmp_path, CHANNELS)


def write_series(folder: Path, study: str, date: str, description: str, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(3):
        image = sitk.Image(8, 8, 1, sitk.sitkInt16)
        for tag, text in {
            "0008|0060": "MR", "0008|103e": description, "0008|0020": date, "0020|000d": study,
            "0020|000e": f"{study}.{number}", "0008|0018": f"{study}.{number}.{index}", "0020|0011": str(number),
            "0020|0032": f"0\\0\\{index * 3}", "0020|0037": "1\\0\\0\\0\\1\\0", "0028|0030": "1\\1",
            "0020|0013": str(index),
        }.items():  # fmt: skip
            image.SetMetaData(tag, text)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{number}-{index}.dcm"))
        writer.Execute(image)


def test_two_visits_of_one_patient_are_two_cases_in_order_of_their_dates(tmp_path: Path) -> None:
    for study, date, agent in (("1.2.9", "20200101", ""), ("1.2.3", "20210101", " +C")):
        for number, name in enumerate(("AX T2 FLAIR", f"SAG T1 MPRAGE{agent}"), start=1):
            write_series(tmp_path / "patient" / f"{date}" / f"series{number}", study, date, name, number)
    first, second = cases_of_folder(tmp_path, CHANNELS)
    assert (first.id, second.id) == ("patient-1", "patient-2")
    assert set(first.channels) == {"T1", "FLAIR"}
    assert set(second.channels) == {"T1c", "FLAIR"}
    assert "20210101" in second.channels["T1c"]


@pytest.mark.real_data
def test_the_shared_cases_are_recognised_as_they_lie(shared_data: Path) -> None:
    cases = cases_of_folder(shared_data / "brats2021", CHANNELS)
    assert len(cases) == 13
    assert all(set(case.channels) == set(CHANNELS) and not case.problem for case in cases)
