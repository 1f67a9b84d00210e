"""``convnextseg segment``: what it writes, what it prints, and what it never does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.cli.channel_names import reference_as_known
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.label_file import read_label
from convnextseg_engine.models.folder import ModelFolder

_VALUES = {"core": 1, "edema": 2, "enhancing": 4}


def test_it_writes_what_was_asked_for_and_all_of_it_agrees(
    run: Callable, segment_arguments: list, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    out = tmp_path / "new folder"
    ran = run(
        *segment_arguments, "--json", "--output", out / "mask.seg.nrrd", "--probabilities", out / "p.nrrd",
        "--preview", out / "preview.png", "--report", out / "report.json",
    )  # fmt: skip
    assert ran.status == 0
    assert sorted(file.name for file in out.iterdir()) == ["mask.seg.nrrd", "p.nrrd", "preview.png", "report.json"]
    grid = Grid.from_image(read_image(study_files["T1c"]))
    mask = read_label(out / "mask.seg.nrrd", tiny_model.contract, grid)
    written = sitk.ReadImage(str(out / "mask.seg.nrrd"))
    assert Grid.from_image(written).same_as(grid)
    probabilities = sitk.ReadImage(str(out / "p.nrrd"))
    assert probabilities.GetNumberOfComponentsPerPixel() == 3
    assert probabilities.GetMetaData("regions") == "whole tumour; tumour core; enhancing tumour"
    whole = sitk.GetArrayFromImage(probabilities)[..., 0]
    assert np.array_equal(whole > 0.5, mask != 0)
    assert 0 < np.count_nonzero(mask) < mask.size

    *progress, result = ran.values
    assert {value["event"] for value in progress} == {"progress"}
    fractions = [value["fraction"] for value in progress]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert result["event"] == "result"
    report = json.loads((out / "report.json").read_text())
    assert result["labels"] == report["labels"]
    for entry in report["labels"]:
        expected = np.count_nonzero(mask == entry["value"]) * grid.voxel_ml
        assert entry["volume_ml"] == pytest.approx(expected, abs=1e-3)
    stages = {"read", "preparation", "load", "prepare", "network", "windows", "restore", "write", "total"}
    assert stages == set(report["seconds"])
    assert str(tmp_path) not in (out / "report.json").read_text()
    assert study_files["T1c"].name not in (out / "report.json").read_text()


def test_a_plain_mask_holds_the_same_voxels_and_people_get_sentences(
    run: Callable, segment_arguments: list, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ran = run(*segment_arguments, "--output", tmp_path / "mask.nii.gz", "--reference", "FLAIR")
    assert ran.status == 0
    assert "Not for clinical use" in ran.out
    assert "edema" in ran.out
    assert "Not given: T1, T2" in ran.out
    assert str(tmp_path / "mask.nii.gz") in ran.out
    grid = Grid.from_image(read_image(study_files["FLAIR"]))
    assert Grid.from_image(read_image(tmp_path / "mask.nii.gz")).same_as(grid)
    assert run(*segment_arguments, "--output", tmp_path / "mask.seg.nrrd", "--reference", "FLAIR").status == 0
    plain = read_label(tmp_path / "mask.nii.gz", tiny_model.contract, grid, _VALUES)
    assert np.array_equal(plain, read_label(tmp_path / "mask.seg.nrrd", tiny_model.contract, grid))


@pytest.mark.real_data
def test_a_dicom_folder_gives_the_mask_of_the_same_series_as_nifti(
    run: Callable, tiny_model: ModelFolder, shared_data: Path, tmp_path: Path
) -> None:
    sources = {"dicom": shared_data / "dicom/STS_002/MR_T1/image", "nifti": shared_data / "sts/STS_002/mr_t1.nii.gz"}
    masks = {}
    for name, source in sources.items():
        path = tmp_path / f"{name}.nrrd"
        ran = run(
            "segment", "--model", tiny_model.path, "--backend", "torch", "--image", f"T1={source}", "--output", path
        )
        assert ran.status == 0, ran.err
        masks[name] = sitk.ReadImage(str(path))
    assert Grid.from_image(masks["dicom"]).same_as(Grid.from_image(masks["nifti"]), 1e-3)
    dicom, nifti = (sitk.GetArrayFromImage(mask) for mask in masks.values())
    # NIfTI keeps its geometry in single precision, so a few voxels on the border of a region may differ.
    assert np.mean(dicom == nifti) > 0.9999


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if loading a network is even begun."""
    from convnextseg_engine.inference import loaded

    def must_not_load(*_: object) -> None:
        raise AssertionError("work was begun before the input was checked")

    monkeypatch.setattr(loaded, "load", must_not_load)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "{tmp}/mask.stl"], ".seg.nrrd or .nii.gz or .nii or .nrrd"),
        (["--output", "{tmp}/.nrrd"], ".seg.nrrd or .nii.gz or .nii or .nrrd"),
        (["--output", "{tmp}"], "does not say a format"),
        (["--output", "{tmp}/there.nrrd"], "exists already"),
        (["--output", "{tmp}/there.nrrd/mask.nrrd"], "a file, not a folder"),
        (["--output", "{tmp}/m.nrrd", "--probabilities", "{tmp}/m.nrrd"], "the file for --output too"),
        (["--output", "{tmp}/../m.nrrd", "--probabilities", "{tmp}/x/../../m.nrrd"], "too"),
        (["--output", "{tmp}/m.nrrd", "--preview", "{tmp}/p.jpg"], "End it with .png"),
        (["--output", "{tmp}/m.NII.GZ"], "in small letters"),  # ITK would refuse it only after the work
        (["--output", "~no-such-user/m.nrrd"], "no such user"),
        (["--output", "{tmp}/" + "x" * 300 + ".nrrd"], "too long"),
        (["--output", "{tmp}/m\udcff.nrrd"], "not Unicode"),  # such a name makes ITK end the process
        (["--output", "{tmp}/m.nrrd", "--image", "T1={tmp}/m\udcff.nrrd"], "not Unicode"),
        (["--output", "{tmp}/m.nrrd", "--image", "T1={tmp}/" + "x" * 300], "too long"),
        (["--output", "{tmp}/m.nrrd", "--model", "x" * 300], "There is no model"),
        (["--output", "{tmp}/m.nrrd", "--report", "{tmp}/r.txt"], "End it with .json"),
        (["--output", "{FLAIR}", "--overwrite"], "an input too"),
        (["--output", "{tmp}/m.nrrd", "--device", "gpu"], "device “gpu” is not known"),
        (["--output", "{tmp}/m.nrrd", "--backend", "fast"], "backend “fast” is not known"),
        (["--output", "{tmp}/m.nrrd", "--backend", "openvino", "--device", "cuda"], "does not run on cuda"),
        (["--output", "{tmp}/m.nrrd", "--reference", "T2"], "not among the given images"),
        (["--output", "{tmp}/m.nrrd", "--image", "T1={tmp}/none.nii"], "There is no file or folder"),
        (["--output", "{tmp}/m.nrrd", "--image", "{tmp}/there.nrrd"], "which channel"),
        (["--output", "{tmp}/m.nrrd", "--image", "T1c={tmp}/there.nrrd"], "channel T1c is given twice"),
        (["--output", "{tmp}/m.nrrd", "--image", "T1={FLAIR}"], "same file"),
        (["--output", "{tmp}/m.nrrd", "--image", "PET={tmp}/there.nrrd"], "T1, T1c, T2, FLAIR"),
        (["--output", "{tmp}/m.nrrd", "--image", "T1={tmp}/there.nrrd"], "cannot be read"),
        (["--output", "{tmp}/m.nrrd", "--model", "nonesuch"], "no model “nonesuch”"),
        ([], "required: --output"),
        (["--output", "{tmp}/m.nrrd", "--frobnicate"], "--frobnicate"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_that_says_what_to_do_before_any_work(
    run: Callable, segment_arguments: list, study_files: dict, tmp_path: Path, arguments: list, words: str
) -> None:
    there = tmp_path / "there.nrrd"
    there.write_text("what a person made")
    given = [text.format(tmp=tmp_path, FLAIR=study_files["FLAIR"]) for text in arguments]
    before = study_files["FLAIR"].read_bytes()
    ran = run(*segment_arguments, *given)
    assert ran.status == 2
    assert words in ran.err
    told = [line for line in ran.err.splitlines() if line.startswith("convnextseg: ")]
    assert len(told) == 1
    assert ran.err.endswith(told[0] + "\n")
    assert ran.out == ""
    assert there.read_text() == "what a person made"
    assert study_files["FLAIR"].read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if file.name != "convnextseg-home"] == ["there.nrrd"]


@pytest.mark.usefixtures("no_work")
def test_errors_are_json_too(run: Callable, segment_arguments: list, tmp_path: Path) -> None:
    ran = run(*segment_arguments, "--json", "--output", tmp_path / "mask.stl")
    (error,) = ran.values
    assert error["event"] == "error"
    assert error["code"] == "unknown-extension"
    assert error["exit_status"] == ran.status == 2
    assert error["message"]
    assert error["remedy"]


@pytest.mark.usefixtures("no_work")
def test_a_4d_image_is_refused_in_words(run: Callable, segment_arguments: list, tmp_path: Path) -> None:
    volume = sitk.Image(4, 4, 4, sitk.sitkInt16)
    sitk.WriteImage(sitk.JoinSeries([volume, volume]), str(tmp_path / "4d.nii.gz"))
    ran = run(*segment_arguments, "--image", f"T2={tmp_path / '4d.nii.gz'}", "--output", tmp_path / "m.nrrd")
    assert ran.status == 2
    assert "4 dimensions" in ran.err


def test_overwrite_replaces_and_its_absence_does_not(run: Callable, segment_arguments: list, tmp_path: Path) -> None:
    mask = tmp_path / "mask.nrrd"
    mask.write_text("old")
    assert run(*segment_arguments, "--output", mask).status == 2
    assert mask.read_text() == "old"
    assert run(*segment_arguments, "--output", mask, "--overwrite").status == 0
    assert Grid.from_image(read_image(mask)).size == (32, 30, 36)


def test_a_device_that_is_not_there_is_status_4(run: Callable, segment_arguments: list, tmp_path: Path) -> None:
    ran = run(*segment_arguments, "--output", tmp_path / "m.nrrd", "--device", "cuda:99")
    assert ran.status == 4
    assert "cuda:99" in ran.err
    assert not (tmp_path / "m.nrrd").exists()


def test_a_format_that_moves_the_voxels_is_said_to(run: Callable, tiny_model: ModelFolder, tmp_path: Path) -> None:
    slightly_sheared = (1.0, 2e-4, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)  # as DICOM positions that are rounded give
    grid = Grid((20, 20, 20), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), slightly_sheared)
    image = grid.image(np.random.default_rng(0).integers(1, 99, grid.shape).astype(np.int16))
    sitk.WriteImage(image, str(tmp_path / "t1.nrrd"))
    told = {}
    for name in ("mask.nrrd", "mask.seg.nrrd", "mask.nii.gz"):
        ran = run(
            "segment", "--model", tiny_model.path, "--backend", "torch", "--image", f"T1={tmp_path / 't1.nrrd'}",
            "--output", tmp_path / name, "--json",
        )  # fmt: skip
        assert ran.status == 0
        told[name] = any("cannot hold this image's axes" in warning for warning in ran.values[-1]["warnings"])
    assert told == {"mask.nrrd": False, "mask.seg.nrrd": False, "mask.nii.gz": True}


def test_a_channel_may_be_spelled_as_the_vocabulary_of_sequences_knows_it(
    run: Callable, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    usual = ["segment", "--model", tiny_model.path, "--device", "cpu", "--backend", "torch"]
    masks = []
    for number, names in enumerate((("T1c", "FLAIR"), ("T1Gd", "T2-FLAIR"))):
        given = zip(names, study_files.values(), strict=True)
        images = [part for name, path in given for part in ("--image", f"{name}={path}")]
        output = tmp_path / f"{number}.nii.gz"
        report = tmp_path / f"{number}.json"
        ran = run(*usual, *images, "--reference", names[1], "--output", output, "--report", report)
        assert ran.status == 0, ran.err
        assert "Not given: T1, T2" in ran.out
        assert ("T1Gd was taken as T1c: the same kind of image.\n" in ran.out) == bool(number)
        told = json.loads(report.read_text(encoding="utf-8"))["renamed"]
        assert told == ({"T1Gd": "T1c", "T2-FLAIR": "FLAIR"} if number else {})
        masks.append(sitk.GetArrayFromImage(sitk.ReadImage(str(output))))
    np.testing.assert_array_equal(*masks)


@pytest.mark.parametrize(("given", "reference"), [("T1ce", "T1c"), ("T1c", "t1ce"), ("T1ce", "T1Gd")])
def test_the_reference_may_be_spelled_otherwise_too(
    run: Callable, study_files: dict, tiny_model: ModelFolder, tmp_path: Path, given: str, reference: str
) -> None:
    usual = ["segment", "--model", tiny_model.path, "--device", "cpu", "--backend", "torch"]
    images = ["--image", f"FLAIR={study_files['FLAIR']}", "--image", f"{given}={study_files['T1c']}"]
    ran = run(*usual, *images, "--reference", reference, "--output", tmp_path / "m.nrrd", "--json")
    assert ran.status == 0, ran.err
    assert sitk.ReadImage(str(tmp_path / "m.nrrd")).GetSize() == sitk.ReadImage(str(study_files["T1c"])).GetSize()
    assert ran.values[-1]["renamed"] == {name: "T1c" for name in (given, reference) if name != "T1c"}


def test_a_reference_that_is_of_a_kind_that_was_not_given_or_given_twice_is_refused(
    run: Callable, segment_arguments: list, tmp_path: Path
) -> None:
    ran = run(*segment_arguments, "--reference", "T2w", "--output", tmp_path / "m.nrrd", "--json")
    assert (ran.status, ran.values[-1]["code"]) == (2, "no-reference")
    assert "Given are T1c, FLAIR." in ran.values[-1]["reason"]
    with pytest.raises(InputError, match="T1ce and T1Gd are of the same kind"):
        reference_as_known("T1c", ("T1ce", "T1Gd", "T2"))
    assert reference_as_known("T1ce", ("T1Gd",), ("T1ce", "T1Gd")) == "T1ce"  # which is another channel


def test_preparing_takes_other_spellings_too_and_says_so(
    run: Callable, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    for out, model, meant in (("a", [], "T1ce"), ("b", ["--model", tiny_model.path], "T1c")):
        given = ["--image", f"FLAIR={study_files['FLAIR']}", "--image", f"T1ce={study_files['T1c']}"]
        options = ["--reference", "T1Gd", "--register", "off", "--output", tmp_path / out]
        ran = run("prepare", *given, *model, *options)
        assert ran.status == 0, ran.err
        told = json.loads((tmp_path / out / "report.json").read_text(encoding="utf-8"))
        assert told["reference"] == meant
        assert told["renamed"] == {name: meant for name in ("T1ce", "T1Gd") if name != meant}
        assert f"T1Gd was taken as {meant}: the same kind of image." in ran.out
