"""Training a new model from a network's name: it becomes v1, measured, and is never put over another model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save_file

from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.contract import LabelContract, exclusive_contract
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.models.weights import load_weights
from convnextseg_engine.networks.registry import build, named
from convnextseg_engine.progress import Reporter
from convnextseg_engine.training.from_scratch import train_from_scratch
from convnextseg_engine.training.new_model import NewModel, designed, median_spacing
from convnextseg_engine.training.recipe import Recipe
from convnextseg_engine.training.run_folder import Run, unfinished_run

NEW = NewModel("mine", "mednext-s-k3-w2", spacing=(4.5, 4.5, 4.5))


@pytest.fixture
def quick(recipe: Recipe) -> Recipe:
    return replace(recipe, steps=2, validate_every=2)


def test_a_new_model_is_v1_with_its_figures_in_the_card(
    case_set: CaseSet, quick: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    deep = replace(quick, deep_supervision=True)
    result = train_from_scratch(NEW, case_set, deep, store, run_folder=tmp_path / "run")
    assert result.spec == "mine@v1"
    assert set(result.evaluations) == {"validation", "test"}
    model = store.open("mine")
    metadata = model.metadata
    assert metadata.network == named("mednext-s-k3-w2").network
    assert metadata.channels == ("T1", "T1c", "T2", "FLAIR")
    assert metadata.spacing == (4.5, 4.5, 4.5)
    assert all(extent <= 48 and extent % 16 == 0 for extent in metadata.patch)  # the cases are no larger
    assert (metadata.lineage["network"], metadata.lineage["steps"]) == ("mednext-s-k3-w2", 2)
    assert metadata.validation["during_training"][0]["step"] == 2
    assert metadata.validation["test"]["rows"][0]["name"] == "case-3"
    card = (model.path / "README.md").read_text(encoding="utf-8")
    assert "Measured on the validation cases (1)" in card
    assert "case-0 (train)" in card
    seen = set(metadata.training_cases)
    assert not seen & {case.hash for case in case_set.cases("test")}
    assert {case.hash for case in case_set.cases("train") + case_set.cases("validation")} <= seen
    assert segment(case_set.cases("test")[0].study(), load(model, "cpu")).mask.shape == case_set.cases()[0].grid.shape
    assert Run.read(tmp_path / "run").state == "done"


def test_a_2d_network_starts_from_a_classifier_and_works_on_volumes(
    case_set: CaseSet, contract: LabelContract, quick: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    classifier = build(named("convnext-unet-t-w4-2d").network, 3, 1).encoder.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in classifier.items()}, tmp_path / "convnext.safetensors")
    softmax = CaseSet.create(tmp_path / "softmax", exclusive_contract(contract.labels))
    for case in case_set.cases():
        softmax.add(case.id, case.study(), case.mask(), case.split)
    new = replace(
        NEW, network="convnext-unet-t-w4-2d", patch=(64, 1, 32), encoder_weights=tmp_path / "convnext.safetensors",
        choices={"norm": "instance"},
    )  # fmt: skip
    # The encoder cannot move in two steps, so what it began with is still to be seen.
    frozen = replace(quick, freeze={"encoder": None})
    result = train_from_scratch(new, softmax, frozen, store, run_folder=tmp_path / "run")
    model = store.open("mine")
    assert model.contract.outputs == "exclusive"
    assert model.metadata.patch == (64, 1, 32)
    assert model.metadata.network["norm"] == "instance"
    assert model.metadata.lineage["encoder_weights"]["naming"] == "timm"
    assert str(tmp_path) not in (model.path / "metadata.json").read_text(encoding="utf-8")
    weights = load_weights(model.weights_path)
    name = "stages.3.blocks.0.conv_dw.weight"
    assert weights[f"encoder.{name}"].half().equal(classifier[name].half())
    assert set(result.evaluations["test"].regions) == {label.name for label in contract.labels}


def test_a_cancelled_run_goes_on_with_what_it_began_with(case_set: CaseSet, quick: Recipe, store: ModelStore) -> None:
    reporter = Reporter()
    reporter.on_metrics = lambda _: reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        train_from_scratch(NEW, case_set, replace(quick, checkpoint_every=1), store, reporter=reporter)
    assert "mine" not in store.names()
    assert unfinished_run("mine@v1", case_set.folder) is None  # no fine-tuning takes it for its own
    with pytest.raises(InputError, match="trains mednext-s-k3-w2, not mednext-s-k5-w2"):
        train_from_scratch(replace(NEW, network="mednext-s-k5-w2"), case_set, quick, store, resume=True)
    steps = []
    train_from_scratch(
        replace(NEW, spacing=None), case_set, replace(quick, checkpoint_every=1), store, resume=True,
        reporter=Reporter(on_metrics=lambda m: steps.append(m["step"])),
    )  # fmt: skip
    assert min(steps) == 2
    assert store.open("mine").metadata.spacing == (4.5, 4.5, 4.5)
    with pytest.raises(InputError, match="named mine already"):
        train_from_scratch(NEW, case_set, quick, store)


@pytest.mark.parametrize(
    ("change", "recipe_change", "words"),
    [
        ({"network": "mednext-q-k3"}, {}, "no network"),
        ({"choices": {"colour": "red"}}, {}, "no “colour” to choose"),
        ({"choices": {"dim": 2}}, {}, "no “dim” to choose"),
        ({"choices": {"norm": "batch"}}, {}, "not 'batch'. Correct --choose norm=batch"),
        ({"name": "Not a name"}, {}, "cannot name a model"),
        ({"patch": (40, 32, 32)}, {}, "window"),
        ({"network": "convunext"}, {"patch": (32, 64, 64)}, "one slice at a time"),
        ({"encoder_weights": Path("x.safetensors")}, {}, "cannot start from a classifier"),
        ({"encoder_weights": Path("x.safetensors"), "network": "convnext-unet-t-w4"}, {}, "x.safetensors"),
        ({}, {"grow_kernel": 5}, "grows the kernel"),
        ({}, {"freeze": {"encoder": None}}, "no part"),
        ({}, {"freeze": {name: None for name, _ in build(named("mednext-s-k3-w2").network, 1, 1).named_children()} | {
            "dummy_tensor": None}}, "no part"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_before_a_run_begins(
    case_set: CaseSet, quick: Recipe, store: ModelStore, tmp_path: Path, change: dict, recipe_change: dict, words: str
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(InputError, match=words):
        train_from_scratch(replace(NEW, **change), case_set, replace(quick, **recipe_change), store, run_folder=folder)
    assert not folder.exists()


def test_what_is_left_open_follows_from_the_cases(case_set: CaseSet, tmp_path: Path) -> None:
    cases = case_set.cases("train")
    design = designed(NewModel("mine", "mednext-s-k3"), cases, None)
    assert design.spacing == (4.5, 4.5, 4.5)
    assert design.patch == (32, 48, 32)  # 32 × 36 × 32 voxels (I, J, K), rounded up
    assert designed(NewModel("mine", "mednext-s-k3"), cases, (64, 64, 64)).patch == (64, 64, 64)
    assert designed(NewModel("mine", "mednext-s-k3-2d"), cases, None).patch == (1, 48, 32)
    sagittal = Grid((40, 50, 20), (0.5, 0.6, 3.0), (0, 0, 0), (0, 0, 1, 1, 0, 0, 0, 1, 0))  # I to P, J to S, K to L
    axial = Grid((40, 50, 20), (1.0, 1.0, 5.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert median_spacing([sagittal]) == (3.0, 0.5, 0.6)
    assert median_spacing([sagittal, axial, axial]) == (1.0, 1.0, 5.0)


@pytest.mark.real_data
def test_hippocampus_in_2d_and_3d(shared_data: Path, quick: Recipe, store: ModelStore, tmp_path: Path) -> None:
    from engine.training.hippocampus import hippocampus_set

    cases = hippocampus_set(shared_data, tmp_path / "set", {"train": 2, "validation": 1, "test": 1})
    for name, network in (("three", "mednext-s-k3-w4"), ("two", "convnext-unet-t-w8-2d")):
        losses = []
        train_from_scratch(
            NewModel(name, network), cases, replace(quick, steps=3), store,
            reporter=Reporter(on_metrics=lambda m, losses=losses: losses.append(m["loss"])),
        )  # fmt: skip
        model = store.open(name)
        assert model.metadata.spacing == (1.0, 1.0, 1.0)
        assert len([loss for loss in losses if loss == loss and loss < 5]) >= 3
        assert set(model.metadata.validation["test"]["mean_dice"]) == {"anterior", "posterior"}
