"""``convnextseg train`` and ``convnextseg models grow-kernel``: from a name to a model in the store."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.models.weights import load_weights
from convnextseg_engine.synthetic.brain import brain_tumour_contract, synthetic_case
from convnextseg_engine.training import from_scratch
from convnextseg_engine.training.recipe import read_recipe


@pytest.fixture
def cases(tmp_path: Path) -> CaseSet:
    case_set = CaseSet.create(tmp_path / "set", brain_tumour_contract())
    made = synthetic_case(100, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
    case_set.add("one", made.study, made.mask, "train")
    return case_set


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    quick = replace(read_recipe("scratch"), name="quick", steps=1, batch_size=1, warmup_steps=1)
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(quick.to_dict()))
    return path


def test_train_makes_a_model_that_grow_kernel_enlarges(
    run: Callable, cases: CaseSet, recipe: Path, private_home: Path
) -> None:
    ran = run(
        "train", "--network", "mednext-s-k3-w2", "--cases", cases.folder, "--name", "mine", "--recipe", recipe,
        "--spacing", "4,4,4.5", "--patch", "32,32,32", "--skull-stripped", "--title", "My model", "--device", "cpu",
        "--choose", "norm=layer", "--choose", "grn=true",
        "--json",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    told = ran.values[-1]
    assert (told["name"], told["version"], told["evaluations"]) == ("mine", "v1", {})
    assert {"step", "loss", "learning_rate"} <= set(
        next(v["values"] for v in ran.values if v.get("event") == "metrics")
    )
    store = ModelStore(private_home)
    metadata = store.open("mine").metadata
    assert (metadata.title, metadata.spacing, metadata.patch) == ("My model", (4.0, 4.0, 4.5), (32, 32, 32))
    assert metadata.skull_stripped
    assert (metadata.network["norm"], metadata.network["grn"]) == ("layer", True)
    assert "Not measured" in (store.open("mine").path / "README.md").read_text(encoding="utf-8")

    grown = run("models", "grow-kernel", "mine", "5", "--name", "mine-k5")
    assert grown.status == 0, grown.err
    assert "mine-k5@v1 is mine@v1 with kernels of 5 instead of 3" in grown.out
    model = store.open("mine-k5")
    assert model.metadata.network == metadata.network | {"kernel": 5}
    assert model.metadata.lineage["base"] == {"name": "mine", "version": "v1"}
    assert model.metadata.training_cases == metadata.training_cases  # it has seen what its base has seen
    assert model.metadata.validation == {}
    small, large = load_weights(store.open("mine").weights_path), load_weights(model.weights_path)
    assert {tuple(large[n].shape[2:]) for n in large if small[n].shape != large[n].shape} == {(5, 5, 5)}
    torch.testing.assert_close(large["stem.weight"], small["stem.weight"])
    for name, words in (("mine-k5", "named mine-k5 already"), ("No Name", "cannot name a model")):
        refused = run("models", "grow-kernel", "mine", "5", "--name", name)
        assert refused.status == 2
        assert words in refused.err


@pytest.mark.parametrize(("kernel", "words"), [("4", "from 3 to 4"), ("3", "from 3 to 3"), ("x", "whole number")])
def test_a_kernel_that_cannot_be_grown_to_is_refused(
    run: Callable, tiny_model: ModelFolder, kernel: str, words: str
) -> None:
    ran = run("models", "grow-kernel", tiny_model.path, kernel, "--name", "grown")
    assert ran.status == 2
    assert words in ran.err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--network": "mednext-q-k3"}, "mednext"), ({"--recipe": "magic"}, "magic"), ({"--device": "tpu"}, "tpu"),
        ({"--steps": "x"}, "whole number"), ({"--spacing": "1,1"}, "three millimetre"), ({"--patch": "0,1,1"}, "voxel"),
        ({"--cases": "nowhere"}, "nowhere"),
        ({"--encoder-weights": "nowhere.pth", "--network": "convnext-unet-t-w4"}, "nowhere"),
        ({"--choose": "norm"}, "not a choice"), ({"--choose": "x=1"}, "no “x” to choose"),
        ({"--name": "My Model"}, "cannot name"), ({"--patch": "30,32,32"}, "window"),
    ],
)  # fmt: skip
def test_train_refuses_bad_input_before_training(
    run: Callable, cases: CaseSet, monkeypatch: pytest.MonkeyPatch, change: dict, words: str
) -> None:
    monkeypatch.setattr(from_scratch, "fit", None)
    options = {"--network": "mednext-s-k3-w2", "--cases": cases.folder, "--name": "mine"} | change
    ran = run("train", *(part for option in options.items() for part in option))
    assert ran.status == 2
    assert words in ran.err


def test_an_interrupted_training_says_how_to_go_on(
    run: Callable, cases: CaseSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(from_scratch, "fit", interrupted)
    ran = run("train", "--network", "mednext-s-k3-w2", "--cases", cases.folder, "--name", "mine")
    assert ran.status == 3
    assert "--resume" in ran.err


def test_of_several_processes_the_first_one_speaks(
    run: Callable, tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a-run")
    monkeypatch.setenv("RANK", "1")
    ran = run("models", "show", tiny_model.path)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert run("models", "show", "nothing").err == ""
    monkeypatch.setenv("RANK", "0")
    assert "tiny" in run("models", "show", tiny_model.path).out
