"""``convnextseg models calibrate``: a new version with temperatures, and the same masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.models.weights import load_weights
from convnextseg_engine.uncertainty import calibrate as calibration
from convnextseg_engine.uncertainty.calibrate import Calibration
from engine.inference.tiny_model import ball


@pytest.fixture
def cases(study_files: dict[str, Path], tiny_model: ModelFolder, tmp_path: Path) -> CaseSet:
    case_set = CaseSet.create(tmp_path / "set", tiny_model.contract)
    study = Study({name: read_image(path) for name, path in study_files.items()}, "T1c")
    mask = np.where(ball(study.reference_grid, (8.0, 4.0, -6.0), 14), 2, 0).astype(np.uint8)
    case_set.add("p1", study, mask, "validation", {})
    return case_set


def test_it_adds_a_version_that_differs_in_its_temperatures_only(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder
) -> None:
    ran = run(
        "models",
        "calibrate",
        tiny_model.path,
        "--cases",
        cases.folder,
        "--device",
        "cpu",
        "--backend",
        "torch",
        "--json",
    )
    assert ran.status == 0, ran.err
    told = ran.values[-1]
    assert (told["name"], told["version"]) == ("tiny", "v2")
    store = ModelStore()
    assert store.current("tiny") == "v1"
    new = store.open("tiny@v2")
    assert new.metadata.inference["temperature"] == told["temperatures"]
    assert new.metadata.lineage["calibration"]["after"] == told["after"]
    assert [case["sha256"] for case in new.metadata.lineage["calibration"]["cases"]] == [cases.case("p1").hash]
    drawn = [label for label in told["before"] if told["before"][label] is not None]
    assert drawn
    # A random network is wrong everywhere, so there is much to gain.
    assert np.mean([told["after"][label] for label in drawn]) < np.mean([told["before"][label] for label in drawn])
    study = cases.case("p1").study()
    masks = [segment(study, load(model, "cpu", "torch")).mask for model in (tiny_model, new)]
    np.testing.assert_array_equal(*masks)
    assert run("models", "promote", "tiny@v2").status == 0


def test_without_cases_it_says_so(run: Callable, cases: CaseSet, tiny_model: ModelFolder) -> None:
    ran = run("models", "calibrate", tiny_model.path, "--cases", cases.folder, "--split", "test")
    assert ran.status == 2
    assert "no test cases" in ran.err


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fitting: what is tested is which version is calibrated, and what is said and recorded of it."""
    found = Calibration({"core": 1.5}, ("p1",), {"core": 0.2}, {"core": 0.1})
    monkeypatch.setattr(calibration, "predictions", lambda *_arguments: iter(()))
    monkeypatch.setattr(calibration, "calibrate", lambda _gathered: found)


def _calibrated(run: Callable, cases: CaseSet, model: str) -> str:
    ran = run("models", "calibrate", model, "--cases", cases.folder, "--device", "cpu", "--backend", "torch")
    assert ran.status == 0, ran.err
    return ran.out


@pytest.mark.usefixtures("quick")
def test_a_candidate_is_calibrated_itself_and_the_verdict_on_it_holds(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    store = ModelStore()
    store.install(tiny_model.path)
    weights = {name: tensor * 1.01 for name, tensor in load_weights(tiny_model.weights_path).items()}
    metadata = replace(tiny_model.metadata, created="2026-01-02T00:00:00+00:00")
    ModelFolder.write(tmp_path / "staged", metadata, tiny_model.contract, weights, "# Other weights\n")
    verdict = {"outcome": "reject", "action": "keep", "text": "It is worse.", "table": []}
    assert store.add_candidate("tiny", tmp_path / "staged", verdict) == "v2"

    text = _calibrated(run, cases, "tiny@v2")
    assert "tiny@v2 (candidate) with calibrated probabilities is tiny@v3" in text
    new = store.open("tiny@v3")
    candidate = store.open("tiny@v2")
    assert new.weights_path.read_bytes() == candidate.weights_path.read_bytes() != tiny_model.weights_path.read_bytes()
    assert new.metadata.lineage["calibration"]["base"] == "tiny@v2"
    known = {version.version: version for version in store.versions("tiny")}
    assert known["v3"].verdict["outcome"] == "reject"
    assert "It is worse." in known["v3"].verdict["text"]
    assert "tiny@v2 is a candidate that is not in use" in text
    assert "“reject”" in text
    assert run("models", "promote", "tiny@v3").status == 2  # the gate is not got round

    text = _calibrated(run, cases, "tiny")
    assert "tiny@v1 (current) with calibrated probabilities is tiny@v4" in text
    assert "“convnextseg models promote tiny@v4” puts it to use." in text
    assert "To calibrate a candidate instead, write tiny@v2." in text  # and not v3, which is calibrated
    listed = run("models", "list").out.splitlines()
    assert [line.split()[1] for line in listed if "candidate, calibrated" in line and "tiny" in line] == ["v3", "v4"]
    assert any(line.split()[1:3] == ["v2", "candidate"] and "calibrated" not in line for line in listed)


def test_another_model_of_the_same_name_is_not_mixed_in(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    ModelStore().install(tiny_model.path)
    weights = {name: tensor * 1.01 for name, tensor in load_weights(tiny_model.weights_path).items()}
    ModelFolder.write(tmp_path / "tiny", tiny_model.metadata, tiny_model.contract, weights, "# Another\n")
    ran = run("models", "calibrate", tmp_path / "tiny", "--cases", cases.folder, "--device", "cpu")
    assert ran.status == 2
    assert "another model named tiny" in ran.err


@pytest.mark.usefixtures("quick")
def test_a_folder_elsewhere_is_known_by_its_content_and_not_by_its_number(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    store = ModelStore()
    store.install(tiny_model.path)
    weights = {name: tensor * 1.01 for name, tensor in load_weights(tiny_model.weights_path).items()}
    metadata = replace(tiny_model.metadata, version="v1", created="2026-01-02T00:00:00+00:00")
    for name in ("staged", "elsewhere"):
        ModelFolder.write(tmp_path / name, metadata, tiny_model.contract, weights, "# Other weights\n")
    assert store.add_candidate("tiny", tmp_path / "staged", {}) == "v2"

    text = _calibrated(run, cases, str(tmp_path / "elsewhere"))
    assert "tiny@v2 (candidate) with calibrated probabilities is tiny@v3" in text
    assert store.open("tiny@v3").weights_path.read_bytes() == store.open("tiny@v2").weights_path.read_bytes()


def _finds(monkeypatch: pytest.MonkeyPatch, before: dict[str, float], after: dict[str, float]) -> None:
    found = Calibration({"core": 1.5}, ("p1",), before, after)
    monkeypatch.setattr(calibration, "calibrate", lambda _gathered: found)


@pytest.mark.usefixtures("quick")
def test_temperatures_that_make_it_worse_are_not_added(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = float("nan")
    _finds(
        monkeypatch,
        {"core": 0.1, "edema": 0.162, "enhancing": nan},
        {"core": 0.09, "edema": 0.341, "enhancing": nan},
    )
    ran = run("models", "calibrate", tiny_model.path, "--cases", cases.folder, "--device", "cpu", "--json")
    assert ran.status == 2
    error = ran.values[-1]
    assert error["code"] == "calibration-worse"
    assert "1 validation case " in error["reason"]
    assert "from 0.131 to 0.216" in error["reason"]
    assert "(edema 0.162 to 0.341)" in error["reason"]
    assert "more validation cases" in error["remedy"]
    assert "tiny" not in ModelStore().names()


@pytest.mark.usefixtures("quick")
def test_a_single_label_that_gets_worse_is_named(
    run: Callable, cases: CaseSet, tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _finds(monkeypatch, {"core": 0.3, "edema": 0.1}, {"core": 0.1, "edema": 0.15})
    text = _calibrated(run, cases, str(tiny_model.path))
    assert "Note: the error rose for edema 0.100 to 0.150," in text
    assert ModelStore().open("tiny@v2").metadata.lineage["calibration"]

    _finds(monkeypatch, {"core": 0.3, "edema": 0.1}, {"core": 0.1, "edema": 0.1})
    assert "error rose" not in _calibrated(run, cases, "tiny@v1")
