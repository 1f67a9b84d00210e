"""``convnextseg evaluate`` and ``finetune``: what they pass on and what they tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.training import finetune as finetune_module
from convnextseg_engine.training.finetune import FinetuneResult
from convnextseg_engine.training.gate.judge import judge
from convnextseg_engine.training.scores import CaseScore, Evaluation, Score
from engine.inference.tiny_model import ball


@pytest.fixture
def cases(study_files: dict[str, Path], tiny_model: ModelFolder, tmp_path: Path) -> CaseSet:
    case_set = CaseSet.create(tmp_path / "set", tiny_model.contract)
    study = Study({name: read_image(path) for name, path in study_files.items()}, "T1c")
    mask = np.where(ball(study.reference_grid, (8.0, 4.0, -6.0), 14), 2, 0).astype(np.uint8)
    case_set.add("p1", study, mask, "test", {})
    return case_set


def test_evaluate_writes_and_prints_the_scores_of_each_case(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    report = tmp_path / "new" / "scores.json"
    arguments = ["evaluate", "--model", tiny_model.path, "--cases", cases.folder, "--split", "test", "--report", report]
    ran = run(*arguments, "--json")
    assert ran.status == 0, ran.err
    told = json.loads(report.read_text())
    (row,) = told["rows"]
    assert row["name"] == "p1"
    scores = {score["name"]: score for score in row["scores"]}
    assert 0 < scores["whole tumour"]["dice"] < 1
    assert scores["edema"]["reference_ml"] == pytest.approx(11.5, rel=0.05)
    assert told["model"]["name"] == "tiny"
    assert ran.values[-1]["event"] == "result"
    assert ran.values[-1]["rows"] == told["rows"]
    assert run(*arguments).status == 2  # the report exists


def test_evaluate_refuses_an_empty_split(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ran = run(
        "evaluate", "--model", tiny_model.path, "--cases", cases.folder, "--split", "validation",
        "--report", tmp_path / "r.json",
    )  # fmt: skip
    assert ran.status == 2
    assert "no cases for validation" in ran.err
    assert not (tmp_path / "r.json").exists()


@pytest.fixture
def fake_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Training that ends at once with the verdict of three cases; holds what it was called with."""
    called: dict[str, Any] = {}

    def evaluation(dice: float) -> Evaluation:
        rows = tuple(CaseScore(f"p{n}", f"h{n}", {"whole tumour": Score(dice, 1.0, 9.0, 10.0)}) for n in range(3))
        return Evaluation({"name": "tiny", "version": "v2"}, ("whole tumour",), (), rows)

    def finetune(model: ModelFolder, case_set: CaseSet, recipe: Any, store: Any, **options: Any) -> FinetuneResult:
        called.update(options, model=model.spec, cases=case_set.folder, recipe=recipe.name)
        options["reporter"].metrics({"step": 1, "loss": float("nan")})
        return FinetuneResult("v2", judge(evaluation(0.8), evaluation(0.7), evaluation(0.7)), tmp_path / "run")

    monkeypatch.setattr(finetune_module, "finetune", finetune)
    return called


def test_finetune_passes_its_options_on_and_prints_version_and_verdict(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, fake_training: dict
) -> None:
    cases.set_split("p1", "train")
    arguments = ["finetune", "--model", tiny_model.path, "--cases", cases.folder, "--steps", "7", "--resume",
                 "--guard", cases.folder, "--device", "cpu"]  # fmt: skip
    ran = run(*arguments)
    assert ran.status == 0, ran.err
    assert "tiny@v2" in ran.out
    assert "too few cases" in ran.out.lower()
    called = fake_training
    assert (called["steps"], called["resume"], called["device"]) == (7, True, "cpu")
    assert called["guard"] == cases.folder
    assert called["recipe"] == "adapt"
    values = run(*arguments, "--json").values
    assert values[-1]["version"] == "v2"
    assert values[-1]["verdict"]["outcome"] == "too few cases"
    assert {"event": "metrics", "values": {"step": 1, "loss": None}} in values


@pytest.mark.parametrize(
    ("more", "words"),
    [([], "no cases to learn from"), (["--recipe", "magic"], "magic"), (["--device", "tpu"], "tpu"),
     (["--steps", "x"], "whole number"), (["--guard", "nowhere"], "nowhere"), (["--model", "none"], "none")],
)  # fmt: skip
@pytest.mark.usefixtures("fake_training")
def test_finetune_refuses_bad_input_before_training(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, fake_training: dict, more: list, words: str
) -> None:
    ran = run("finetune", "--model", tiny_model.path, "--cases", cases.folder, *more)
    assert ran.status == 2
    assert words in ran.err
    assert fake_training == {}


def test_an_interrupted_finetuning_says_how_to_go_on(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune_module, "finetune", interrupted)
    cases.set_split("p1", "train")
    ran = run("finetune", "--model", tiny_model.path, "--cases", cases.folder)
    assert ran.status == 3
    assert "--resume" in ran.err
