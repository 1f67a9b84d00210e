"""``convnextseg cases``: adding, listing and checking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.cli.channel_names import as_known
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.seg_nrrd import write_seg_nrrd
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.weights import load_weights
from engine.inference.tiny_model import ball


@pytest.fixture
def label(study_files: dict[str, Path], tiny_model: ModelFolder, tmp_path: Path) -> Path:
    """A corrected mask of the study, as Slicer saves it."""
    grid = Grid.from_image(read_image(study_files["T1c"]))
    path = tmp_path / "label.seg.nrrd"
    write_seg_nrrd(path, _mask(grid), grid, tiny_model.contract)
    return path


def _mask(grid: Grid) -> np.ndarray:
    mask = np.zeros(grid.shape, dtype=np.uint8)
    for radius, value in ((14, 2), (9, 1), (5, 4)):
        mask[ball(grid, (8.0, 4.0, -6.0), radius)] = value
    return mask


def _add(cases: Path, label: Path, study_files: dict, model: ModelFolder, name: str, *more: object) -> list[object]:
    images = [part for channel, path in study_files.items() for part in ("--image", f"{channel}={path}")]
    return ["cases", "add", cases, "--case", name, *images, "--label", label, "--model", model.path, *more]


def test_add_makes_the_set_and_list_and_check_tell_of_it(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    cases = tmp_path / "set"
    ran = run(*_add(cases, label, study_files, tiny_model, "p1", "--split", "test", "--json"))
    assert ran.status == 0, ran.err
    (added,) = ran.values
    assert (added["name"], added["split"], added["channels"]) == ("p1", "test", ["T1c", "FLAIR"])
    grid = Grid.from_image(read_image(study_files["T1c"]))
    volumes = {entry["name"]: entry["volume_ml"] for entry in added["labels"]}
    assert volumes["enhancing"] == pytest.approx(np.count_nonzero(_mask(grid) == 4) * 0.008, abs=1e-3)
    (case,) = CaseSet.open(cases).cases()
    assert np.array_equal(case.mask(), _mask(grid))
    assert case.study().reference == "T1c"
    assert str(tmp_path) not in (case.folder / "case.json").read_text()

    ((listed,),) = run("cases", "list", cases, "--json").values
    assert (listed["name"], listed["split"]) == ("p1", "test")
    assert "p1" in run("cases", "list", cases).out
    checked = run("cases", "check", cases, "--json")
    assert checked.status == 0
    assert checked.values[-1]["cases"] == 1
    assert "1 case, ready" in run("cases", "check", cases).out


def test_check_finds_a_changed_image_and_names_the_case(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    cases = tmp_path / "set"
    assert run(*_add(cases, label, study_files, tiny_model, "p1")).status == 0
    (case,) = CaseSet.open(cases).cases()
    path = case.folder / case.files["T1c"]
    sitk.WriteImage(read_image(path) + 1, str(path))
    ran = run("cases", "check", cases)
    assert ran.status == 2
    assert "p1" in ran.err


def test_integers_need_their_meaning_and_get_it(
    run: Callable, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    grid = Grid.from_image(read_image(study_files["T1c"]))
    mask = _mask(grid)
    other = np.select([mask == 1, mask == 2, mask == 4], [3, 1, 2]).astype(np.uint8)
    label = tmp_path / "other.nii.gz"
    sitk.WriteImage(grid.image(other), str(label))
    cases = tmp_path / "set"
    refused = run(*_add(cases, label, study_files, tiny_model, "p1"))
    assert refused.status == 2
    assert "--label-values" in refused.err
    assert not cases.exists()
    ran = run(*_add(cases, label, study_files, tiny_model, "p1", "--label-values", "core=3, edema=1, enhancing=2"))
    assert ran.status == 0, ran.err
    assert np.array_equal(CaseSet.open(cases).cases()[0].mask(), mask)


def _own(cases: Path, label: Path, image: Path, name: str, values: str) -> list[object]:
    return ["cases", "add", cases, "--case", name, "--image", f"MR={image}", "--label", label, "--label-values", values]


def test_a_new_set_without_a_model_has_the_labels_that_are_named(
    run: Callable, study_files: dict, tmp_path: Path
) -> None:
    grid = Grid.from_image(read_image(study_files["T1c"]))
    mask = np.where(_mask(grid) == 4, 0, _mask(grid)).astype(np.uint8)
    label = tmp_path / "own.nii.gz"
    sitk.WriteImage(grid.image(mask), str(label))
    ran = run(*_own(tmp_path / "set", label, study_files["T1c"], "p1", "posterior=2,anterior=1"))
    assert ran.status == 0, ran.err
    assert "anterior=1, posterior=2" in ran.out
    case_set = CaseSet.open(tmp_path / "set")
    assert case_set.contract.outputs == "exclusive"
    assert [(entry.name, entry.value) for entry in case_set.contract.labels] == [("anterior", 1), ("posterior", 2)]
    assert np.array_equal(case_set.cases()[0].mask(), mask)
    swapped = run(*_own(tmp_path / "set", label, study_files["T1c"], "p2", "anterior=2,posterior=1"))
    assert swapped.status == 0, swapped.err
    assert np.array_equal(CaseSet.open(tmp_path / "set").cases()[1].mask() == 1, mask == 2)


@pytest.mark.parametrize("values", ["anterior=0", "background=1,anterior=2", "anterior=300"])
def test_labels_that_cannot_be_are_refused_in_words(
    run: Callable, label: Path, study_files: dict, tmp_path: Path, values: str
) -> None:
    ran = run(*_own(tmp_path / "set", label, study_files["T1c"], "p1", values))
    assert ran.status == 2
    assert "background" in ran.err or "255" in ran.err
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("values", ["core", "core=x", "core=1,core=2", "", "core=-1"])
def test_label_values_that_cannot_be_read_are_refused(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path, values: str
) -> None:
    ran = run(*_add(tmp_path / "set", label, study_files, tiny_model, "p1", f"--label-values={values}"))
    assert ran.status == 2
    assert "core=1,edema=2,enhancing=4" in ran.err


def test_a_label_on_another_grid_is_refused_and_leaves_no_set_behind(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ran = run(*_add(tmp_path / "set", label, study_files, tiny_model, "p1", "--reference", "FLAIR"))
    assert ran.status == 2
    assert "grid" in ran.err
    assert not (tmp_path / "set").exists()


def test_a_case_is_replaced_only_when_asked(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    add = _add(tmp_path / "set", label, study_files, tiny_model, "p1")
    assert run(*add).status == 0
    again = run(*add)
    assert again.status == 2
    assert "p1" in again.err
    assert run(*add, "--replace").status == 0
    assert len(CaseSet.open(tmp_path / "set").cases()) == 1


def test_a_channel_that_the_model_does_not_know_is_refused(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ran = run(*_add(tmp_path / "set", label, {"ADC": study_files["T1c"]}, tiny_model, "p1"))
    assert ran.status == 2
    assert "T1, T1c, T2, FLAIR" in ran.err


def test_a_folder_that_is_no_set_is_refused_and_left_alone(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.txt").write_text("x")
    for action in ("list", "check"):
        ran = run("cases", action, tmp_path / "photos")
        assert ran.status == 2
        assert "not a case set" in ran.err
    assert [file.name for file in (tmp_path / "photos").iterdir()] == ["holiday.txt"]


@pytest.fixture
def other_names(tiny_model: ModelFolder, tmp_path: Path) -> ModelFolder:
    """A model like tiny_model whose channels have other spellings of the same sequences."""
    metadata = replace(tiny_model.metadata, name="other", channels=("T1w", "T1ce", "T2w", "flair"))
    weights = load_weights(tiny_model.weights_path)
    return ModelFolder.write(tmp_path / "other", metadata, tiny_model.contract, weights, "# Other names\n")


def test_a_channel_is_known_by_another_spelling_of_its_sequence(
    run: Callable, label: Path, study_files: dict, other_names: ModelFolder, tmp_path: Path
) -> None:
    cases = tmp_path / "set"
    ran = run(*_add(cases, label, study_files, other_names, "p1", "--reference", "T1c", "--json"))
    assert ran.status == 0, ran.err
    assert ran.values[-1]["renamed"] == {"T1c": "T1ce", "FLAIR": "flair"}
    (case,) = CaseSet.open(cases).cases()
    assert (sorted(case.channels), case.reference) == (["T1ce", "flair"], "T1ce")

    # Later cases of the set are given its names too, also without a model, so that no sequence has two.
    images = [part for name in ("T1Gd", "T2-FLAIR") for part in ("--image", f"{name}={_file(study_files, name)}")]
    ran = run("cases", "add", cases, "--case", "p2", *images, "--label", label)
    assert ran.status == 0, ran.err
    assert "T1Gd is called T1ce there" in ran.out
    assert sorted(CaseSet.open(cases).case("p2").channels) == ["T1ce", "flair"]


def _file(study_files: dict[str, Path], name: str) -> Path:
    return study_files["FLAIR" if "FLAIR" in name else "T1c"]


def test_a_new_sequence_may_join_a_set_that_has_not_had_it(
    run: Callable, label: Path, study_files: dict, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    cases = tmp_path / "set"
    assert run(*_add(cases, label, {"T1c": study_files["T1c"]}, tiny_model, "p1")).status == 0
    images = [part for name, path in study_files.items() for part in ("--image", f"{name}={path}")]
    assert run("cases", "add", cases, "--case", "p2", *images, "--label", label).status == 0
    assert CaseSet.open(cases).case("p2").channels == ("T1c", "FLAIR")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("T1ce", "T1Gd"), "another image is given"),
        (("T1c", "T1Gd"), "another image is given"),
        (("PET", "FLAIR"), "It takes T1w, T1ce, T2w, flair"),
        (("scan", "FLAIR"), "It takes T1w, T1ce, T2w, flair"),
    ],
)
def test_what_is_not_clear_or_not_known_lists_the_channels(
    run: Callable, label: Path, study_files: dict, other_names: ModelFolder, tmp_path: Path, names: tuple, words: str
) -> None:
    given = dict(zip(names, study_files.values(), strict=True))
    ran = run(*_add(tmp_path / "set", label, given, other_names, "p1", "--json"))
    assert ran.status == 2
    error = ran.values[-1]
    assert error["code"] == "unknown-channel"
    assert words in error["reason"]
    assert all(name in error["reason"] for name in ("T1w", "T1ce", "T2w", "flair"))
    assert "--image T1" in error["remedy"]
    assert not (tmp_path / "set").exists()


def test_two_channels_of_one_kind_are_not_chosen_between() -> None:
    with pytest.raises(InputError, match="T1ce and T1Gd are of the same kind"):
        as_known(["T1c"], ("T1ce", "T1Gd", "T2"), "the model")
    assert as_known(["t1GD"], ("T1ce", "T1Gd", "T2"), "the model") == {"t1GD": "T1Gd"}
    assert as_known(["MR"], ("T2",), "the set", others=True) == {}
