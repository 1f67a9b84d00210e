"""``convnextseg recognise`` and ``segment --study``: which image is which."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.models.folder import ModelFolder


@pytest.fixture()
def study(tmp_path: Path, study_files: dict[str, Path]) -> Path:
    """The study as an archive has it: a mask and an image that is none of the channels lie beside it."""
    folder = tmp_path / "CASE-7"
    folder.mkdir()
    shutil.copy(study_files["T1c"], folder / "CASE-7_T1GD.nii.gz")
    shutil.copy(study_files["FLAIR"], folder / "CASE-7_t2_tirm_dark-fluid.nrrd")
    shutil.copy(study_files["T1c"], folder / "CASE-7_seg.nii.gz")
    return folder


def _segment(run: Callable, model: ModelFolder, *arguments: object):
    return run("segment", "--model", model.path, "--backend", "torch", "--device", "cpu", *arguments)


def test_people_read_what_each_image_is_and_why(run: Callable, study: Path, tiny_model: ModelFolder) -> None:
    ran = run("recognise", study, "--model", tiny_model.path)
    assert ran.status == 0
    assert "T1c    CASE-7_T1GD.nii.gz" in ran.out
    assert "“gd”: with contrast agent" in ran.out
    assert "No channel: it is a segmentation or mask" in ran.out
    assert "T2:     not there" in ran.out


def test_programs_read_the_same_as_json(run: Callable, study: Path, tiny_model: ModelFolder) -> None:
    (result,) = run("recognise", study, "--model", tiny_model.path, "--json").values
    kinds = {image["name"]: (image["kind"], image["no_channel"]) for image in result["images"]}
    assert kinds == {
        "CASE-7_T1GD.nii.gz": ("T1c", False),
        "CASE-7_seg.nii.gz": ("", True),
        "CASE-7_t2_tirm_dark-fluid.nrrd": ("FLAIR", False),
    }
    paths = {entry["channel"]: entry["path"] for entry in result["assignment"]}
    assert paths["T1"] is None
    assert paths["FLAIR"].endswith("dark-fluid.nrrd")


def test_names_alone_are_recognised(run: Callable) -> None:
    (result,) = run("recognise", "--name", "AX T1 POST", "--name", "scan", "--json").values
    assert [(image["kind"], image["options"]) for image in result["images"]] == [("T1c", []), ("", [])]
    assert run("recognise").status == 2


def test_a_study_is_segmented_as_if_its_channels_had_been_named(
    run: Callable, study: Path, study_files: dict, segment_arguments: list, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    usual = ("--study", study, "--reference", "t1ce")  # the reference may be spelled otherwise
    ran = _segment(run, tiny_model, *usual, "--output", tmp_path / "a.nii.gz", "--json")
    assert ran.status == 0, ran.err
    assert ran.values[-1]["renamed"] == {"t1ce": "T1c"}
    chosen = {entry["channel"]: Path(entry["path"]).name for entry in ran.values[-1]["recognised"]}
    assert chosen == {"T1c": "CASE-7_T1GD.nii.gz", "FLAIR": "CASE-7_t2_tirm_dark-fluid.nrrd"}
    assert run(*segment_arguments, "--output", tmp_path / "b.nii.gz").status == 0
    first, second = (sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{n}.nii.gz"))) for n in "ab")
    assert np.array_equal(first, second)


def test_an_ambiguous_study_is_asked_about_and_the_answer_is_taken(
    run: Callable, study: Path, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    shutil.copy(study / "CASE-7_T1GD.nii.gz", study / "CASE-7_T1_POST_COR.nii.gz")
    out = tmp_path / "mask.nii.gz"
    asked = _segment(run, tiny_model, "--study", study, "--output", out)
    assert asked.status == 2
    assert "It is not clear which image is which: T1c." in asked.err
    assert "CASE-7_T1_POST_COR.nii.gz" in asked.err
    assert "--image T1c=" in asked.err
    assert not out.exists()
    answer = f"T1c={study / 'CASE-7_T1GD.nii.gz'}"
    told = _segment(
        run, tiny_model, "--study", study, "--image", answer, "--image", "FLAIR=", "--output", out, "--json"
    )
    assert told.status == 0, told.err
    (only,) = told.values[-1]["recognised"]
    assert (only["channel"], only["reason"]) == ("T1c", "Chosen by you.")


def test_nothing_to_segment_is_said(run: Callable, study: Path, tiny_model: ModelFolder, tmp_path: Path) -> None:
    out = tmp_path / "mask.nii.gz"
    assert _segment(run, tiny_model, "--output", out).status == 2
    for name in ("CASE-7_T1GD.nii.gz", "CASE-7_t2_tirm_dark-fluid.nrrd"):
        (study / name).unlink()
    ran = _segment(run, tiny_model, "--study", study, "--output", out)
    assert ran.status == 2
    assert "none" not in ran.out
    assert "No image in" in ran.err


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_a_file_of_a_study_that_cannot_be_read_can_be_left_out(
    run: Callable, study: Path, tiny_model: ModelFolder, tmp_path: Path, content: bytes
) -> None:
    (study / "CASE-7_t2_tirm_dark-fluid.nrrd").write_bytes(content)
    out = tmp_path / "mask.nii.gz"
    refused = _segment(run, tiny_model, "--study", study, "--output", out)
    assert refused.status == 2
    assert "CASE-7_t2_tirm_dark-fluid.nrrd" in refused.err
    assert "--image FLAIR= leaves it out" in refused.err
    ran = _segment(run, tiny_model, "--study", study, "--image", "FLAIR=", "--output", out)
    assert ran.status == 0, ran.err
    assert out.exists()
