"""What is said when a user's own option is at fault: what happened, why, and which option to change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.networks.registry import build
from convnextseg_engine.synthetic.brain import brain_tumour_contract, synthetic_case
from convnextseg_engine.training.finetune import finetune
from convnextseg_engine.training.from_scratch import train_from_scratch
from convnextseg_engine.training.new_model import NewModel
from convnextseg_engine.training.recipe import read_recipe


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "weights.pth"
    torch.save(build({"name": "unet3d", "norm": "none", "width": 4}, 1, 2).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> CaseSet:
    case_set = CaseSet.create(tmp_path_factory.mktemp("cases") / "set", brain_tumour_contract())
    made = synthetic_case(100, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
    case_set.add("one", made.study, made.mask, "train")
    return case_set


def _error(run: Callable, *arguments: object) -> dict:
    ran = run(*arguments, "--json")
    assert ran.status == 2
    error = ran.values[-1]
    assert error["message"]
    assert error["reason"]
    assert error["remedy"]
    return error


def _import(weights: Path, *options: str) -> list[object]:
    usual = {
        "--name": "new", "--channels": "T1", "--labels": "core=1", "--axes": "SPL", "--intensity": "none",
        "--licence": "unknown", "--spacing": "1,1,1",
    }  # fmt: skip
    usual |= dict(zip(options[::2], options[1::2], strict=True))
    return ["models", "import", weights, *(part for pair in usual.items() for part in pair)]


@pytest.mark.parametrize(
    ("name", "reason", "remedy"),
    [
        ("mednext-s-k4", "kernel would be 4; a kernel is odd", "mednext-s-k3 or mednext-s-k5"),
        ("mednext-b-k17", "15 at most", "mednext-b-k3"),
        ("convunext-k6", "a kernel is odd", "Write convunext"),
        ("mednext-s-k3-w9999", "“width” must be a whole number from 1 to 1024", "another width"),
        ("mednxt-s-k3", "look alike: mednext-s-k3,", "Write mednext-s-k3, if that is meant"),
        ("mednext-l", "look alike: mednext-l-k3,", "Write mednext-l-k3, if that is meant"),
    ],
)
def test_a_network_that_is_none_gets_the_closest_name(run: Callable, name: str, reason: str, remedy: str) -> None:
    error = _error(run, "networks", "show", name)
    assert error["code"] == "unknown-network"
    assert name in error["message"]
    assert reason in error["reason"]
    assert remedy in error["remedy"]


def test_growing_names_the_limit_and_a_taken_name_its_option(run: Callable, tiny_model: ModelFolder) -> None:
    error = _error(run, "models", "grow-kernel", tiny_model.path, "99", "--name", "large")
    assert "15 is the largest" in error["reason"]
    assert error["remedy"] == "Choose 5, for example."
    assert run("models", "grow-kernel", tiny_model.path, "5", "--name", "large").status == 0
    error = _error(run, "models", "grow-kernel", tiny_model.path, "7", "--name", "large")
    assert error["code"] == "exists"
    assert "--name" in error["remedy"]
    assert run("models", "grow-kernel", "large", "15", "--name", "largest").status == 0
    error = _error(run, "models", "grow-kernel", "largest", "17", "--name", "beyond")
    assert "the largest already" in error["remedy"]


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--spacing", "inf,1,1", "from 0.01 to 100 mm"),
        ("--spacing", "1,nan,1", "from 0.01 to 100 mm"),
        ("--spacing", "0,1,1", "from 0.01 to 100 mm"),
        ("--patch", "0,0,0", "1 or more"),
        ("--patch", "32,-1,32", "1 or more"),
        ("--patch", "4096,4096,4096", "no more than 512"),
        ("--patch", "50,48,48", "--patch asked for it. Its extents must be divisible by 8"),
    ],
)
def test_an_impossible_number_names_the_option(
    run: Callable, weights: Path, option: str, value: str, reason: str
) -> None:
    error = _error(run, *_import(weights, option, value))
    assert reason in error["reason"]
    assert option in error["message"] + error["remedy"]
    assert "metadata.json" not in error["remedy"]
    assert "new" not in ModelStore().names()


@pytest.mark.parametrize("value", ["inf", "1,1", "one,1,1"])
def test_a_spacing_that_is_not_three_numbers_names_the_option(run: Callable, weights: Path, value: str) -> None:
    ran = run(*_import(weights, "--spacing", value), "--json")
    assert ran.status == 2
    assert ran.values[-1]["message"] == f"“--spacing {value}” is not three numbers."


def test_training_names_the_window_and_the_choice_that_cannot_be(run: Callable, cases: CaseSet) -> None:
    usual = ["train", "--network", "mednext-s-k3-w2", "--cases", cases.folder, "--name", "mine", "--device", "cpu"]
    error = _error(run, *usual, "--patch", "50,48,48")
    assert "--patch asked for it" in error["reason"]
    assert "--patch" in error["remedy"]
    error = _error(run, *usual, "--choose", "norm=batch")
    assert "--choose" in error["message"]
    assert "“norm” must be one of group, layer" in error["reason"]
    assert "--choose norm=batch" in error["remedy"]


def test_a_label_beyond_a_byte_is_named_with_its_option(run: Callable, study_files: dict, tmp_path: Path) -> None:
    grid = Grid.from_image(read_image(study_files["T1c"]))
    mask = np.zeros(grid.shape, np.uint16)
    mask[4:8, 4:8, 4:8] = 300
    sitk.WriteImage(grid.image(mask), str(tmp_path / "label.nii.gz"))
    error = _error(
        run, "cases", "add", tmp_path / "set", "--case", "p1", "--image", f"MR={study_files['T1c']}",
        "--label", tmp_path / "label.nii.gz", "--label-values", "anterior=300",
    )  # fmt: skip
    assert "anterior=300" in error["message"]
    assert "--label-values" in error["message"]
    assert "1 to 255" in error["reason"]
    assert not (tmp_path / "set").exists()


def test_hours_of_training_are_not_begun_for_a_store_that_cannot_be_written(
    cases: CaseSet, tiny_model: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").write_text("a file where the folder of models would be")
    store = ModelStore(home)
    recipe = replace(read_recipe("adapt"), steps=1)
    for module in ("finetune", "from_scratch"):
        monkeypatch.setattr(f"convnextseg_engine.training.{module}.fit", None)  # calling it would be another error
    with pytest.raises(InputError, match="Nothing can be written") as refusal:
        train_from_scratch(
            NewModel("mine", "mednext-s-k3-w2"), cases, recipe, store, run_folder=tmp_path / "run"
        )  # fmt: skip
    assert "CONVNEXTSEG_HOME" in refusal.value.remedy
    with pytest.raises(InputError, match="Nothing can be written"):
        finetune(tiny_model, cases, recipe, store, run_folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
