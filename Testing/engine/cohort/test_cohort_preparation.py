"""What a cohort does to its cases before the network sees them: the steps of ``segment``, kept and told a case."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from safetensors.torch import load_file

from convnextseg_engine.cli.main import main
from convnextseg_engine.cohort.csv_source import cases_of_csv
from convnextseg_engine.cohort.folder_source import cases_of_folder
from convnextseg_engine.cohort.mask_pattern import MaskPattern
from convnextseg_engine.cohort.preparation import CohortPreparation
from convnextseg_engine.cohort.run import run_cohort
from convnextseg_engine.cohort.settings import Settings, content_of
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.preparing.rigid import RigidTransform
from convnextseg_engine.progress import Reporter
from engine.cohort.small_cohort import write_cohort
from engine.inference.tiny_model import CHANNELS, ball, head, write_tiny_model
from engine.preparing.head_phantom import brain_study, motion, moved

_GRID = Grid((32,) * 3, (2.0,) * 3, (-31.0,) * 3, (1, 0, 0, 0, 1, 0, 0, 0, 1))
_AWAY = motion((7.0, -6.0, 5.0), (0.2, 0.9, -0.3), 8.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny").path


@pytest.fixture(scope="module")
def coarse_model(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network at 5 mm, for which a whole brain is one window."""
    fine = ModelFolder.open(model)
    metadata = replace(fine.metadata, name="coarse", spacing=(5.0,) * 3)
    folder = tmp_path_factory.mktemp("models") / "coarse"
    return ModelFolder.write(folder, metadata, fine.contract, load_file(fine.weights_path), "").path


def batch(source: Path, model: Path, out: Path, *options: str) -> int:
    command = ["batch", str(source), "--model", str(model), "--output", str(out), "--format", ".nrrd"]
    return main([*command, "--device", "cpu", "--backend", "torch", *options])


def report(out: Path, case: str) -> dict:
    return json.loads((out / case / "report.json").read_text(encoding="utf-8"))


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "cohort.csv").open(encoding="utf-8", newline="") as file:
        return {line["case"]: line for line in csv.DictReader(file)}


def write_mask(file: Path, radius: float, grid: Grid = _GRID) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_image(grid.image(ball(grid, (0, 0, 0), radius).astype(np.uint8)), file)


@pytest.fixture
def two_brains(tmp_path: Path) -> Path:
    """A folder with two cases; in one of them T2 lies elsewhere."""
    study = brain_study()
    for name, one in (("moved", moved(study, "T2", _AWAY)), ("right", study)):
        (tmp_path / "brains" / name).mkdir(parents=True)
        for channel in ("T1c", "T2"):
            write_image(one.channels[channel], tmp_path / "brains" / name / f"{channel}.nrrd")
    return tmp_path / "brains"


def test_misaligned_channels_are_told_and_moved_only_if_that_is_wanted(
    tmp_path: Path, coarse_model: Path, two_brains: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(two_brains, coarse_model, tmp_path / "checked") == 0
    assert batch(two_brains, coarse_model, tmp_path / "aligned", "--register", "rigid") == 0
    checked, aligned = table(tmp_path / "checked"), table(tmp_path / "aligned")
    assert (checked["moved"]["prepared"], "alignment" in checked["moved"]["unusual"].split()) == ("", True)
    assert "--register rigid" in checked["moved"]["message"]
    assert "alignment" not in checked["right"]["unusual"].split()
    assert (aligned["moved"]["prepared"], "alignment" in aligned["moved"]["unusual"].split()) == ("T2 moved", False)
    assert aligned["right"]["prepared"] == ""
    told = report(tmp_path / "aligned", "moved")
    assert [step["name"] for step in told["preparation"]["steps"]] == ["align T2", "brain mask", "expectations"]
    found = RigidTransform.from_dict(told["preparation"]["transforms"]["T2"])
    places = np.array([(0.0, 0.0, 0.0), (30.0, -40.0, 20.0)])
    np.testing.assert_allclose(found.apply(places), _AWAY.apply(places), atol=1.5)
    assert told["seconds"]["preparation"] > 0
    assert str(tmp_path) not in json.dumps(told["preparation"])

    def mask(out: str, case: str) -> np.ndarray:
        return sitk.GetArrayFromImage(read_image(tmp_path / out / case / "segmentation.nrrd"))

    # Once aligned, the network is given nearly the same as for the case that lay right from the beginning.
    differing = [np.count_nonzero(mask(out, "moved") != mask(out, "right")) for out in ("checked", "aligned")]
    assert differing[1] < 0.5 * differing[0]
    np.testing.assert_array_equal(mask("checked", "right"), mask("aligned", "right"))

    # One table does not mix two ways of preparing; the same way goes on.
    assert batch(two_brains, coarse_model, tmp_path / "aligned", "--register", "rigid", "--no-prepare-cache") == 0
    capsys.readouterr()
    assert batch(two_brains, coarse_model, tmp_path / "aligned") == 2
    assert "other settings (preparation)" in capsys.readouterr().err


def test_each_case_has_its_own_brain_mask_in_a_table_or_by_a_pattern(tmp_path: Path, model: Path) -> None:
    source = write_cohort(tmp_path / "in", 3)
    write_mask(tmp_path / "in" / "masks" / "case-0.nrrd", 20)
    write_mask(tmp_path / "in" / "other.nrrd", 30)
    assert batch(source, model, tmp_path / "plain") == 0
    lines = source.read_text(encoding="utf-8").splitlines()
    named = [f"{lines[0]},brain mask", f"{lines[1]},", f"{lines[2]},other.nrrd", f"{lines[3]},"]
    source.write_text("\n".join(named), encoding="utf-8")
    assert batch(source, model, tmp_path / "out", "--brain-mask", "masks/{case}.nrrd") == 2
    listed = table(tmp_path / "out")
    assert [listed[case]["status"] for case in sorted(listed)] == ["done", "done", "failed"]
    assert "There is no brain mask" in listed["case-2"]["message"]
    assert "case-2.nrrd" in listed["case-2"]["message"]
    for case, mask in (("case-0", "masks/case-0.nrrd"), ("case-1", "other.nrrd")):
        assert listed[case]["prepared"] == "brain mask"
        command = ["segment", "--model", str(model), f"--image=T1c={tmp_path / 'in' / f'{case}-T1c.nii.gz'}"]
        command += ["--brain-mask", str(tmp_path / "in" / mask), "--output", str(tmp_path / f"{case}.nrrd")]
        assert main([*command, "--device", "cpu", "--backend", "torch"]) == 0
        result = (tmp_path / "out" / case / "segmentation.nrrd").read_bytes()
        assert result == (tmp_path / f"{case}.nrrd").read_bytes()
        assert result != (tmp_path / "plain" / case / "segmentation.nrrd").read_bytes()
    # Another mask is another input: the result is not taken for its own.
    write_mask(tmp_path / "in" / "other.nrrd", 29)
    assert batch(source, model, tmp_path / "out", "--brain-mask", "masks/{case}.nrrd") == 2
    assert "have changed" in table(tmp_path / "out")["case-1"]["message"]


def test_masks_beside_the_images_of_a_folder_are_no_channels(tmp_path: Path) -> None:
    for case in ("a", "b"):
        (tmp_path / case).mkdir()
        for name in ("T1c.nrrd", "t1c_brain.nrrd"):
            write_image(head(_GRID, (0, 0, 0), 10, 300), tmp_path / case / name)
        (tmp_path / f"{case}_flair.nrrd").write_bytes((tmp_path / case / "T1c.nrrd").read_bytes())
    (tmp_path / "b" / "t1c_brain.nrrd").unlink()
    pattern = MaskPattern.starting_at(tmp_path, "{case}/t1c_brain.nrrd")
    a, b = cases_of_folder(tmp_path, CHANNELS, masks=pattern)[:2]
    assert {name: Path(file).name for name, file in a.channels.items()} == {"T1c": "T1c.nrrd"} | {
        name: Path(file).name for name, file in a.channels.items() if name == "FLAIR"
    }
    assert Path(a.brain_mask) == tmp_path / "a" / "t1c_brain.nrrd" and not a.problem
    assert "There is no brain mask" in b.problem


def test_a_case_s_mask_lies_under_its_folder_s_own_name(tmp_path: Path) -> None:
    for folder in ("Patient 1", "Patient (2)", "Patient 3"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        write_image(head(_GRID, (0, 0, 0), 10, 300), tmp_path / "in" / folder / "T1c.nrrd")
    for file in ("Patient 1/brain.nrrd", "Patient-1/brain.nrrd", "Patient (2)/brain.nrrd"):
        write_mask(tmp_path / "masks" / file, 20)
    pattern = MaskPattern.starting_at(tmp_path / "in", str(tmp_path / "masks/{case}/brain.nrrd"))
    first, second, third = cases_of_folder(tmp_path / "in", CHANNELS, masks=pattern)
    assert [case.id for case in (first, second, third)] == ["Patient-1", "Patient-2", "Patient-3"]
    assert (Path(first.brain_mask), first.problem) == (tmp_path / "masks" / "Patient 1" / "brain.nrrd", "")
    assert (Path(second.brain_mask), second.problem) == (tmp_path / "masks" / "Patient (2)" / "brain.nrrd", "")
    assert all(str(tmp_path / "masks" / name) in third.problem for name in ("Patient 3", "Patient-3"))
    # The name that the list shows does, too.
    (tmp_path / "masks" / "Patient 1" / "brain.nrrd").unlink()
    first = cases_of_folder(tmp_path / "in", CHANNELS, masks=pattern)[0]
    assert (Path(first.brain_mask), first.problem) == (tmp_path / "masks" / "Patient-1" / "brain.nrrd", "")


def test_a_row_s_mask_lies_under_the_row_s_own_name(tmp_path: Path) -> None:
    write_image(head(_GRID, (0, 0, 0), 10, 300), tmp_path / "t1c.nrrd")
    write_mask(tmp_path / "masks" / "Patient 1.nrrd", 20)
    (tmp_path / "c.csv").write_text("case,T1c\nPatient 1,t1c.nrrd\n", encoding="utf-8")
    pattern = MaskPattern.starting_at(tmp_path, "masks/{case}.nrrd")
    (case,) = cases_of_csv(tmp_path / "c.csv", CHANNELS, masks=pattern)
    assert (case.id, case.problem) == ("Patient-1", "")
    assert Path(case.brain_mask) == tmp_path / "masks" / "Patient 1.nrrd"


def test_a_name_that_cannot_be_is_one_row_s_problem(tmp_path: Path) -> None:
    write_image(head(_GRID, (0, 0, 0), 10, 300), tmp_path / "t1c.nrrd")
    write_mask(tmp_path / "mask.nrrd", 20)
    nobody, long = "~no-such-user-here/a.nrrd", "n" * 300
    rows = ["case,T1c,brain mask", "a,t1c.nrrd,mask.nrrd", f"b,{nobody},", f"c,{long},", f"d,t1c.nrrd,{nobody}"]
    rows += [f"e,t1c.nrrd,{long}", f"{long},t1c.nrrd,"]
    (tmp_path / "c.csv").write_text("\n".join(rows), encoding="utf-8")
    cases = cases_of_csv(tmp_path / "c.csv", CHANNELS, masks=MaskPattern.starting_at(tmp_path, "{case}.nrrd"))
    assert cases[0].problem == ""
    for case, words in zip(cases[1:], (nobody, long, nobody, long, long), strict=True):
        assert case.problem.startswith("There is no ") and words in case.problem


_NOTHING_ELSE = ("--register", "off", "--no-expectations")


def test_a_cohort_knows_that_it_was_masked(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, masks = write_cohort(tmp_path / "in", 1), ("--brain-mask", "{case}.nrrd")
    write_mask(tmp_path / "in" / "case-0.nrrd", 20)
    assert batch(source, model, tmp_path / "out", *_NOTHING_ELSE, *masks) == 0
    assert table(tmp_path / "out")["case-0"]["prepared"] == "brain mask"
    assert batch(source, model, tmp_path / "out", *_NOTHING_ELSE, *masks) == 0
    capsys.readouterr()
    assert batch(source, model, tmp_path / "out", *_NOTHING_ELSE) == 2
    told = capsys.readouterr().err
    assert "other settings (brain mask)" in told and "begun with: --brain-mask." in told
    # What was begun before it was noted was begun without, and says how to go on.
    assert batch(source, model, tmp_path / "old", *_NOTHING_ELSE) == 0
    known = json.loads((tmp_path / "old" / "cohort.json").read_text(encoding="utf-8"))
    assert known.pop("brain mask") is False
    (tmp_path / "old" / "cohort.json").write_text(json.dumps(known), encoding="utf-8")
    capsys.readouterr()
    assert batch(source, model, tmp_path / "old", *masks) == 2
    told = capsys.readouterr().err
    assert "other settings (brain mask, preparation)" in told
    assert "begun with: --register off --no-expectations, without --brain-mask." in told
    assert batch(source, model, tmp_path / "old", *_NOTHING_ELSE) == 0
    capsys.readouterr()
    assert batch(source, model, tmp_path / "old", *_NOTHING_ELSE, *masks, "--brain-mask-dilation", "2") == 2
    assert "begun with: without --brain-mask-dilation, without --brain-mask." in capsys.readouterr().err


def test_masks_that_a_table_names_are_told_whatever_else_is_done(tmp_path: Path, model: Path) -> None:
    source = write_cohort(tmp_path / "in", 1)
    write_mask(tmp_path / "in" / "mask.nrrd", 20)
    header, line = source.read_text(encoding="utf-8").splitlines()
    source.write_text(f"{header},brain mask\n{line},mask.nrrd\n", encoding="utf-8")
    assert batch(source, model, tmp_path / "out", *_NOTHING_ELSE, "--brain-mask-dilation", "2") == 0
    assert table(tmp_path / "out")["case-0"]["prepared"] == "brain mask"
    source.write_text(f"{header}\n{line}\n", encoding="utf-8")
    assert batch(source, model, tmp_path / "out", *_NOTHING_ELSE) == 2


def test_one_mask_for_all_patients_is_refused(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_cohort(tmp_path / "in", 1)
    for options, words in (
        (("--brain-mask", "mask.nrrd"), "same file for every case"),
        (("--brain-mask-model", str(model)), "does not find the brain"),
        (("--brain-mask-dilation", "-2"), "cannot be grown by -2 mm"),
        (("--brain-mask-dilation", "5"), "There is no brain mask that --brain-mask-dilation 5 could grow"),
        (("--brain-mask", "~no-such-user-here/{case}.nrrd"), "There is no such user"),
        (("--brain-mask", f"{{case}}{'m' * 300}.nrrd"), "names no file or folder"),
    ):
        assert batch(source, model, tmp_path / "out", *options) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_what_was_begun_before_there_was_a_preparation_goes_on_without(tmp_path: Path, model: Path) -> None:
    source = write_cohort(tmp_path / "in", 2)
    cases = cases_of_csv(source, CHANNELS)
    opened = write_tiny_model(tmp_path / "tiny")
    plain = Settings(str(opened.path), content_of(opened), "cpu", "torch")
    run_cohort(cases[:1], plain, tmp_path / "out", Reporter())
    known = json.loads((tmp_path / "out" / "cohort.json").read_text(encoding="utf-8"))
    del known["preparation"]
    (tmp_path / "out" / "cohort.json").write_text(json.dumps(known), encoding="utf-8")
    checking = Settings(*_fields(plain), preparation=CohortPreparation(register="check"))
    with pytest.raises(InputError, match=r"other settings \(preparation\)"):
        run_cohort(cases, checking, tmp_path / "out", Reporter())
    assert [row.status for row in run_cohort(cases, plain, tmp_path / "out", Reporter())] == ["done", "done"]
    assert "prepared" not in table(tmp_path / "out")["case-0"]


def _fields(settings: Settings) -> tuple:
    return settings.model, settings.content, settings.device, settings.backend


def test_a_channel_that_is_the_same_everywhere_is_told_once(tmp_path: Path, model: Path) -> None:
    write_image(head(_GRID, (0, 0, 0), 10, 300), tmp_path / "t1c.nrrd")
    write_image(_GRID.image(np.full(_GRID.shape, 7, np.int16)), tmp_path / "flair.nrrd")
    (tmp_path / "c.csv").write_text("case,T1c,FLAIR\na,t1c.nrrd,flair.nrrd\n", encoding="utf-8")
    images = [f"--image=T1c={tmp_path / 't1c.nrrd'}", f"--image=FLAIR={tmp_path / 'flair.nrrd'}"]
    command = ["segment", "--model", str(model), *images, "--output", str(tmp_path / "mask.nrrd")]
    command += ["--device", "cpu", "--backend", "torch", "--report", str(tmp_path / "one.json")]
    assert main(command) == 0
    assert batch(tmp_path / "c.csv", model, tmp_path / "out") == 0
    one = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    for told in (one, report(tmp_path / "out", "a")):
        about = [warning for warning in told["warnings"] if warning.startswith("FLAIR") or " FLAIR " in warning]
        assert len([warning for warning in about if "one intensity" in warning or "same everywhere" in warning]) == 1
        assert [finding["name"] for finding in told["expectations"]].count("constant") == 1
    # Without a comparison the run's own note says it.
    assert main([*command, "--overwrite", "--no-expectations"]) == 0
    alone = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert len([warning for warning in alone["warnings"] if "same everywhere" in warning]) == 1


def test_the_skull_is_told_once(tmp_path: Path, model: Path) -> None:
    source = write_cohort(tmp_path / "in", 1)
    assert batch(source, model, tmp_path / "with") == 0
    assert batch(source, model, tmp_path / "without", "--no-expectations") == 0
    for out in ("with", "without"):
        told = [
            warning for warning in report(tmp_path / out, "case-0")["warnings"] if "skull has been removed" in warning
        ]
        assert len(told) == 1
    assert "skull" in table(tmp_path / "with")["case-0"]["unusual"].split()


def test_the_brain_model_is_the_same_for_every_computer(tmp_path: Path, model: Path) -> None:
    """What a worker elsewhere is given: the mask's file and the model's place, and nothing that was read here."""
    preparation = CohortPreparation(register="rigid", brain_mask_model=str(model), brain_mask_content="1" * 64)
    write_mask(tmp_path / "mask.nrrd", 20)
    options = preparation.options(str(tmp_path / "mask.nrrd"), "cpu")
    assert (options.register, options.brain_mask_model, options.device) == ("rigid", str(model), "cpu")
    assert sitk.GetArrayViewFromImage(options.brain_mask).sum() == ball(_GRID, (0, 0, 0), 20).sum()
    assert (
        preparation.decides()
        == CohortPreparation(
            register="rigid", brain_mask_model="elsewhere", brain_mask_content="1" * 64, use_cache=False
        ).decides()
    )
