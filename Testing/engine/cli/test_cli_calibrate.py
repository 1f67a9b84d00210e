"""``convnextseg models calibrate``: a new version with temperatures, and the same masks."""

from __future__ import annotations

from collections.abc import Callable
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
