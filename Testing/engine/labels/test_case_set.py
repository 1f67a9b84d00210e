"""Case sets: whole or not at all, nothing lost, no patient named, no image in two splits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels import case_set as case_set_module
from convnextseg_engine.labels.case_set import CaseSet


def study_on(grid: Grid, seed: int = 0) -> Study:
    """Two channels with voxels and grids of their own."""
    rng = np.random.default_rng(seed)
    other = Grid((5, 6, 4), (1.5, 1.5, 4.0), grid.origin, (1, 0, 0, 0, 1, 0, 0, 0, 1))
    t1c = grid.image(rng.integers(0, 900, grid.shape).astype(np.int16))
    t1c["PatientName"] = "Doe^Jane"
    return Study({"T1c": t1c, "T2 FLAIR": other.image(rng.random(other.shape, dtype=np.float32))}, "T1c")


@pytest.fixture
def case_set(tmp_path, contract) -> CaseSet:
    return CaseSet.create(tmp_path / "set", contract)


def errors(case_set: CaseSet) -> list[tuple[str, str]]:
    return [(finding.case, finding.message) for finding in case_set.check() if finding.severity == "error"]


def test_a_case_comes_back_as_it_was(case_set, grid, mask):
    study = study_on(grid)
    added = case_set.add("A1", study, mask, "train", {"model": "brain-tumour@v1"})
    (case,) = CaseSet.open(case_set.folder).cases()
    assert case == added
    assert (case.id, case.split, case.reference, case.channels) == ("A1", "train", "T1c", ("T1c", "T2 FLAIR"))
    assert np.array_equal(case.mask(), mask)
    assert case.grid.same_as(grid)
    for name, image in case.study().channels.items():
        original = study.channels[name]
        assert np.array_equal(sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(original))
        assert image.GetPixelID() == original.GetPixelID()
        assert Grid.from_image(image).same_as(Grid.from_image(original))
    assert case.origin == {"model": "brain-tumour@v1"}
    assert not case_set.check()


def test_the_hash_names_the_content_wherever_it_lies(tmp_path, case_set, contract, grid, mask):
    first = case_set.add("A1", study_on(grid), mask, "train")
    elsewhere = CaseSet.create(tmp_path / "other", contract).add("B", study_on(grid), mask, "test")
    assert elsewhere.hash == first.hash
    changed_mask, changed_grid = mask.copy(), Grid(grid.size, (0.9, 1.1, 2.6), grid.origin, grid.direction)
    changed_mask[0, 0, 0] = 1
    others = [case_set.add("C", study_on(grid), changed_mask, "train").hash]
    others.append(case_set.add("D", study_on(changed_grid), mask, "train").hash)
    others.append(case_set.add("E", study_on(grid, seed=1), mask, "train").hash)
    assert len({first.hash, *others}) == 4


def test_nothing_in_the_folder_names_the_patient(case_set, grid, mask):
    origin = {"model": "x@v1", "image": "/data/Doe^Jane/t1.nii", "nested": {"file": r"C:\Doe\x", "steps": 3}}
    case = case_set.add("A1", study_on(grid), mask, "train", origin)
    assert case.origin == {"model": "x@v1", "nested": {"steps": 3}}
    for file in case_set.folder.rglob("*"):
        assert not file.is_file() or b"Doe" not in file.read_bytes()


def test_cases_are_listed_by_split(case_set, grid, mask):
    for seed, (name, split) in enumerate([("B", "test"), ("A", "train"), ("C", "train")]):
        case_set.add(name, study_on(grid, seed), mask, split)
    assert [case.id for case in case_set.cases()] == ["A", "B", "C"]
    assert [case.id for case in case_set.cases("train")] == ["A", "C"]
    with pytest.raises(InputError, match="“holdout” is not a split"):
        case_set.cases("holdout")
    with pytest.raises(InputError, match=r"There is no case D.*It has A, B, C"):
        case_set.case("D")


def test_an_existing_case_is_not_overwritten(case_set, grid, mask):
    case_set.add("A1", study_on(grid), mask, "train")
    for name in ("A1", "a1"):
        with pytest.raises(InputError, match="There is a case A1 already"):
            case_set.add(name, study_on(grid, 1), mask, "train")
    assert np.array_equal(case_set.case("A1").mask(), mask)


def test_a_replaced_case_is_kept(case_set, grid, mask):
    old = case_set.add("A1", study_on(grid), mask, "train")
    corrected = np.where(mask == 4, 1, mask).astype(np.uint8)
    new = case_set.add("A1", study_on(grid), corrected, "test", replace=True)
    assert np.array_equal(new.mask(), corrected)
    (kept,) = (case_set.folder / "replaced").iterdir()
    assert kept.name.startswith("A1-")
    assert json.loads((kept / "case.json").read_text())["hash"] == old.hash
    assert len(case_set.cases()) == 1


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "a\\b", "a b", ".hidden", "x.", "con", "NUL.1", "ä", "x" * 65, "a\n"]
)
def test_names_that_no_folder_can_have_are_refused(case_set, grid, mask, name):
    with pytest.raises(InputError, match="cannot name a case"):
        case_set.add(name, study_on(grid), mask, "train")
    assert not list((case_set.folder / "cases").iterdir())


def test_a_label_on_another_grid_is_refused_with_names(case_set, grid, mask):
    with pytest.raises(InputError, match=r"grid of the channel T1c.*9 × 8 × 6 voxels, T1c has 9 × 8 × 7"):
        case_set.add("A1", study_on(grid), mask[:-1], "train")


def test_a_value_without_a_label_is_refused(case_set, grid, mask):
    mask[0, 0, 0] = 3
    with pytest.raises(InputError, match="the value 3"):
        case_set.add("A1", study_on(grid), mask, "train")


def test_an_empty_image_is_refused_by_channel(case_set, grid, mask):
    study = Study({"T1": grid.image(np.full(grid.shape, 7, np.int16))}, "T1")
    with pytest.raises(InputError, match="channel T1 is empty"):
        case_set.add("A1", study, mask, "train")


def test_the_same_image_cannot_be_in_two_splits(case_set, grid, mask):
    case_set.add("A1", study_on(grid), mask, "train")
    one = study_on(grid).channels["T1c"]
    copy = Study({"T1": sitk.Cast(one, sitk.sitkFloat32)}, "T1")  # another name, type and channel
    with pytest.raises(InputError, match="T1 image of B is also in the case A1, of the split train") as caught:
        case_set.add("B", copy, mask, "test")
    assert caught.value.code == "leak"
    case_set.add("B", copy, mask, "train")
    with pytest.raises(InputError, match="also in the case A1"):
        case_set.set_split("B", "test")
    assert case_set.case("B").split == "train"
    assert [(f.severity, f.case) for f in case_set.check()] == [("warning", "A1")]


def test_a_case_can_change_its_split_without_changing_its_hash(case_set, grid, mask):
    before = case_set.add("A1", study_on(grid), mask, "train")
    case_set.set_split("A1", "validation")
    after = case_set.case("A1")
    assert (after.split, after.hash) == ("validation", before.hash)
    assert np.array_equal(after.mask(), mask)


def test_an_interrupted_export_leaves_the_set_as_it_was(case_set, grid, mask, monkeypatch):
    case_set.add("A1", study_on(grid), mask, "train")

    def stop(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(case_set_module, "place_folder", stop)
    with pytest.raises(OSError, match="no space"):
        case_set.add("B", study_on(grid, 1), mask, "train")
    assert sorted(entry.name for entry in case_set.folder.iterdir()) == [".lock", "case_set.json", "cases"]
    assert [case.id for case in case_set.cases()] == ["A1"]


def test_a_failing_replacement_leaves_the_old_case_in_use(case_set, grid, mask, monkeypatch):
    case_set.add("A1", study_on(grid), mask, "train")

    def stop(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(case_set_module, "place_folder", stop)
    with pytest.raises(OSError, match="no space"):
        case_set.add("A1", study_on(grid, 1), mask, "train", replace=True)
    assert np.array_equal(case_set.case("A1").mask(), mask)


def test_a_folder_in_use_does_not_become_a_set(tmp_path, contract):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        CaseSet.create(tmp_path, contract)
    with pytest.raises(InputError, match=r"has no case_set\.json"):
        CaseSet.open(tmp_path)
    (tmp_path / "case_set.json").write_text('{"format": 9}')
    with pytest.raises(InputError, match="format is 9"):
        CaseSet.open(tmp_path)


def test_the_check_finds_what_was_changed_and_what_cannot_be_read(case_set, grid, mask):
    for seed, name in enumerate("ABCDE"):
        case_set.add(name, study_on(grid, seed), mask, "train")
    place = case_set.folder / "cases"
    image = read_image(place / "A" / "T1c.nrrd")
    write_image(image + 1, place / "A" / "T1c.nrrd")
    (place / "B" / "label.seg.nrrd").unlink()
    (place / "C" / "case.json").write_text("{")
    shifted = sitk.Image(image)
    shifted.SetOrigin((10.0, -20.0, 30.5))
    write_image(shifted, place / "D" / "T1c.nrrd")
    found = dict(errors(case_set))
    assert list(found) == ["A", "B", "C", "D"]
    assert "changed after it was added" in found["A"]
    assert "There is no file" in found["B"]
    assert "case.json" in found["C"]
    assert "another grid" in found["D"]


def test_the_check_finds_channels_of_another_place(case_set, grid, mask):
    study = study_on(grid)
    study.channels["T2 FLAIR"].SetOrigin((900, 0, 0))
    case_set.add("A", study, mask, "train")
    assert errors(case_set) == [("A", "The channel T2 FLAIR does not overlap T1c in space.")]


def test_the_check_warns_of_empty_labels_and_leftovers(case_set, grid, mask):
    case_set.add("A", study_on(grid), np.zeros_like(mask), "test")
    (case_set.folder / ".adding-0123").mkdir()
    warnings = {finding.message for finding in case_set.check()}
    assert warnings == {
        "Its label is empty.",
        "The folder .adding-0123 is left from an export that was interrupted, or is still running.",
        "No case is in the split train.",
    }


@pytest.mark.parametrize("name", ["../../secret.nrrd", "/etc/passwd", "x/y.nrrd"])
def test_a_record_cannot_lead_out_of_its_folder(case_set, grid, mask, name):
    record = case_set.add("A", study_on(grid), mask, "train").folder / "case.json"
    data = json.loads(record.read_text())
    data["channels"]["T1c"]["file"] = name
    record.write_text(json.dumps(data))
    with pytest.raises(InputError, match="leads out of the folder"):
        case_set.cases()


def test_channel_names_become_file_names_that_every_system_can_hold(case_set, grid, mask):
    rng = np.random.default_rng(0)
    names = ("T1", "t1", "label", "CON", "T2/FLAIR", "ß", "../x")
    study = Study({name: grid.image(rng.random(grid.shape, dtype=np.float32)) for name in names}, "T1")
    case = case_set.add("A", study, mask, "train")
    files = [file.casefold() for file in case.files.values()]
    assert len({*files, "label.seg.nrrd"}) == len(names) + 1
    assert all("/" not in file and not file.startswith(("con.", ".")) for file in files)
    assert case.study().channels.keys() == set(names)


@pytest.mark.real_data
@pytest.mark.parametrize("place", ["dicom/QIN-PROSTATE-001/ADC", "oblique/BraTS2021_01661-clinical/t2.nii.gz"])
def test_real_geometry_survives_on_disk(case_set, shared_data, place):
    """A tilted DICOM series whose slices do not lie quite along their normal, and a left-handed file."""
    image = read_image(shared_data / place)
    grid = Grid.from_image(image)
    mask = np.zeros(grid.shape, np.uint8)
    mask[2:5, 100:120, 90:130] = 2
    case = case_set.add("A", Study({"T2": image}, "T2"), mask, "train")
    assert case.study().reference_grid.same_as(grid)
    assert np.array_equal(case.mask(), mask)
    assert not case_set.check()


_ADD = """
import sys
import numpy as np
from pathlib import Path
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.case_set import CaseSet
folder, split = Path(sys.argv[1]), sys.argv[2]
grid = Grid((8, 8, 8), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
for seed in range(5):
    image = grid.image(np.random.default_rng(seed).random(grid.shape, dtype=np.float32))
    mask = np.zeros(grid.shape, np.uint8)
    for name in (f"shared-{seed}", f"{split}-{seed}"):
        try:
            CaseSet.open(folder).add(name, Study({"T1": image}, "T1"), mask, split)
        except InputError as error:
            print(error.code)
"""


def test_two_processes_that_add_at_once_leave_a_sound_set(case_set, repository):
    """Each adds the same images under its own and under a shared name, to its own split: no name twice, no leak."""
    environment = os.environ | {"PYTHONPATH": str(repository / "ConvNeXtSeg")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _ADD, str(case_set.folder), split],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for split in ("train", "test")
    ]
    refused = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert {*refused[0], *refused[1]} <= {"exists", "leak"}
    cases = case_set.cases()
    assert len(cases) + len(refused[0]) + len(refused[1]) == 20
    assert not errors(case_set)
    assert not list(Path(case_set.folder).glob(".adding-*"))
