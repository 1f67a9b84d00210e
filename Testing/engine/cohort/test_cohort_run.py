from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from safetensors.torch import load_file

from convnextseg_engine.cli.main import main
from convnextseg_engine.cohort import run as run_module
from convnextseg_engine.cohort.case import CohortCase, safe_id
from convnextseg_engine.cohort.csv_source import cases_of_csv
from convnextseg_engine.cohort.run import run_cohort
from convnextseg_engine.cohort.settings import Settings, content_of
from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.progress import Reporter
from engine.cohort.small_cohort import write_cohort
from engine.inference.tiny_model import CHANNELS, write_tiny_model


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    model = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    return Settings(str(model.path), content_of(model), "cpu", "torch")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "cohort.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_case_gets_a_mask_a_report_and_a_line(tmp_path: Path, settings: Settings) -> None:
    cases = cases_of_csv(write_cohort(tmp_path / "in", 3), CHANNELS)
    rows = run_cohort(cases, settings, tmp_path / "out", Reporter())
    assert [(row.status, row.message) for row in rows if row.status != "done"] == []
    listed = table(tmp_path / "out")
    assert [line["case"] for line in listed] == ["case-0", "case-1", "case-2"]
    for line in listed:
        report = json.loads((tmp_path / "out" / line["case"] / "report.json").read_text(encoding="utf-8"))
        assert (tmp_path / "out" / line["case"] / "segmentation.seg.nrrd").is_file()
        for label in report["labels"]:
            assert float(line[f"{label['name']} [mL]"]) == label["volume_ml"]


def test_a_second_run_does_only_what_is_left(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = cases_of_csv(write_cohort(tmp_path / "in", 3), CHANNELS)
    run_cohort(cases[:2], settings, tmp_path / "out", Reporter())
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("case-*/*")}
    begun: list[str] = []
    real = run_module.segment_case
    monkeypatch.setattr(run_module, "segment_case", lambda case, *rest: begun.append(case.id) or real(case, *rest))
    rows = run_cohort(cases, settings, tmp_path / "out", Reporter())
    assert begun == ["case-2"]
    assert [row.status for row in rows] == ["done"] * 3
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_broken_case_does_not_stop_the_others_and_is_tried_again(tmp_path: Path, settings: Settings) -> None:
    listed = write_cohort(tmp_path / "in", 3)
    broken = tmp_path / "in" / "case-1-T1c.nii.gz"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100])
    cases = cases_of_csv(listed, CHANNELS)
    rows = run_cohort(cases, settings, tmp_path / "out", Reporter())
    assert [row.status for row in rows] == ["done", "failed", "done"]
    assert "case-1-T1c.nii.gz" in rows[1].message
    assert not (tmp_path / "out" / "case-1").exists()
    broken.write_bytes(whole)
    assert [row.status for row in run_cohort(cases, settings, tmp_path / "out", Reporter())] == ["done"] * 3


def test_cancel_keeps_what_is_done(tmp_path: Path, settings: Settings) -> None:
    cases = cases_of_csv(write_cohort(tmp_path / "in", 3), CHANNELS)
    reporter = Reporter()
    reporter.on_progress = lambda event: reporter.cancelled.set() if event.message == "case-0 done" else None
    with pytest.raises(RunCancelled, match="1 of 3"):
        run_cohort(cases, settings, tmp_path / "out", reporter)
    assert [line["status"] for line in table(tmp_path / "out")] == ["done", "waiting", "waiting"]
    assert [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()] == ["case-0"]


def test_other_weights_or_options_are_not_mixed_in(tmp_path: Path, settings: Settings) -> None:
    cases = cases_of_csv(write_cohort(tmp_path / "in", 1), CHANNELS)
    run_cohort(cases, settings, tmp_path / "out", Reporter())
    for other in (
        Settings(settings.model, "0" * 64, "cpu", "torch"),
        Settings(settings.model, settings.content, "cpu", "torch", options={"mirror": True}),
    ):
        with pytest.raises(InputError, match="other settings"):
            run_cohort(cases, other, tmp_path / "out", Reporter())


def test_an_ensemble_is_another_model_than_its_first_network(tmp_path: Path) -> None:
    one = write_tiny_model(tmp_path / "one")
    tensors = load_file(one.weights_path)
    more = [{name: tensor + 1 for name, tensor in tensors.items()}]
    two = ModelFolder.write(tmp_path / "two", one.metadata, one.contract, tensors, "", more_members=more)
    assert one.weights_path.read_bytes() == two.weights_path.read_bytes()
    assert content_of(one) != content_of(two)


def test_changed_images_are_told_and_nothing_is_overwritten(tmp_path: Path, settings: Settings) -> None:
    cases = cases_of_csv(write_cohort(tmp_path / "in", 1), CHANNELS)
    run_cohort(cases, settings, tmp_path / "out", Reporter())
    report = (tmp_path / "out" / "case-0" / "report.json").read_bytes()
    write_cohort(tmp_path / "in", 1, size=34)
    (row,) = run_cohort(cases, settings, tmp_path / "out", Reporter())
    assert row.status == "failed"
    assert "have changed" in row.message
    assert (tmp_path / "out" / "case-0" / "report.json").read_bytes() == report


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        run_cohort([], settings, tmp_path, Reporter())
    assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == ["thesis.txt"]


@pytest.mark.parametrize(("one", "other"), [("Ann", "ann"), ("ann", "ann"), ("1", "1")])
def test_two_cases_of_one_name_are_refused(tmp_path: Path, settings: Settings, one: str, other: str) -> None:
    cases = [CohortCase(one, {"T1": "a"}, "T1"), CohortCase(other, {"T1": "b"}, "T1")]
    with pytest.raises(InputError, match=f"Two cases are named {other}"):
        run_cohort(cases, settings, tmp_path / "out", Reporter())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("case,T1,T9\na,x,y\n", "no channel T9"),
        ("name;T1\na;x\n", "does not name the columns"),
        ("case;T1\n;;\n", "lists no case"),
        ("case,T1\na,p,1.nii\n", "Row 2 of c.csv has more fields"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "c.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        cases_of_csv(tmp_path / "c.csv", CHANNELS)


def test_rows_with_missing_files_are_cases_with_a_problem(tmp_path: Path) -> None:
    (tmp_path / "a.nii").touch()
    (tmp_path / "c.csv").write_text(
        "﻿case;T1;T2;reference\nx;a.nii;;\ny;a.nii;b.nii;T2\nz;a.nii;;T2\n", encoding="utf-8"
    )
    x, y, z = cases_of_csv(tmp_path / "c.csv", CHANNELS)
    assert (x.problem, x.reference, list(x.channels)) == ("", "T1", ["T1"])
    assert "T2 (b.nii)" in y.problem
    assert "reference channel T2" in z.problem


def test_a_row_that_names_no_reference_takes_the_one_that_was_chosen(tmp_path: Path) -> None:
    for name in ("a.nii", "b.nii"):
        (tmp_path / name).touch()
    (tmp_path / "c.csv").write_text("case,T1,T2,reference\nx,a.nii,b.nii,\ny,a.nii,b.nii,T1\nz,a.nii,,\n")
    x, y, z = cases_of_csv(tmp_path / "c.csv", CHANNELS, "T2")
    assert (x.reference, y.reference) == ("T2", "T1")
    assert "reference channel T2 has no file" in z.problem


def test_names_become_names_of_folders() -> None:
    assert [safe_id(t) for t in ("a/b c", "../x", "Ä.1", "//", "a:b")] == ["a-b-c", "x", "Ä.1", "case", "a-b"]
    assert [safe_id(t) for t in ("CON", "nul.1", "com1", "contrast")] == [
        "case-CON",
        "case-nul.1",
        "case-com1",
        "contrast",
    ]


def test_the_list_of_a_cohort_already_says_that_two_cases_have_one_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_cohort(tmp_path / "images", 2)
    command = ["batch", str(table), "--model", str(write_tiny_model(tmp_path / "tiny").path), "--list"]
    command += ["--output", str(tmp_path / "out")]
    assert main(command) == 0
    table.write_text(table.read_text(encoding="utf-8").replace("\ncase-1,", "\nCASE-0,"), encoding="utf-8")
    assert main(command) == 2
    assert "Two cases are named CASE-0." in capsys.readouterr().err


def test_the_reference_may_be_spelled_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_cohort(tmp_path / "images", 1)
    command = ["batch", str(table), "--model", str(write_tiny_model(tmp_path / "tiny").path), "--list"]
    command += ["--output", str(tmp_path / "out"), "--reference"]
    assert main([*command, "t1ce"]) == 0
    assert main([*command, "CT"]) == 2
    assert "The reference channel CT is not one of the model's." in capsys.readouterr().err
