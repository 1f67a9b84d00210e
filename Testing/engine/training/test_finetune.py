"""Fine-tuning from a case set to a judged candidate in the store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.contract import LabelContract, exclusive_contract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.models.weights import load_weights
from convnextseg_engine.networks.registry import NETWORKS, build
from convnextseg_engine.progress import Reporter
from convnextseg_engine.synthetic.brain import synthetic_case
from convnextseg_engine.training import finetune as room
from convnextseg_engine.training.finetune import finetune
from convnextseg_engine.training.gate.verdict import Outcome
from convnextseg_engine.training.recipe import Recipe
from convnextseg_engine.training.run_folder import Run


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies are full-size synthetic brains; one test below measures them, the others need not."""
    monkeypatch.setattr("convnextseg_engine.training.judging._PROXIES", 0)


def test_a_candidate_is_made_judged_promoted_and_rolled_back(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    metrics = []
    result = finetune(
        model, case_set, recipe, store, run_folder=tmp_path / "run", reporter=Reporter(on_metrics=metrics.append)
    )
    assert result.version == "v2"
    assert store.current("tiny") == "v1"
    assert result.verdict.outcome is Outcome.TOO_FEW
    assert {row.case for row in result.verdict.table} == {"case-3"}
    assert [m["step"] for m in metrics if "learning_rate" in m] == list(range(1, 7))
    assert any("validation_dice" in m for m in metrics)

    candidate = store.open("tiny@v2")
    before, after = load_weights(model.weights_path), load_weights(candidate.weights_path)
    assert before.keys() == after.keys()
    assert any(not before[key].equal(after[key]) for key in before)
    seen = set(candidate.metadata.training_cases)
    for case in case_set.cases("train") + case_set.cases("validation"):
        assert {case.hash, *case.voxels.values()} <= seen
    assert not seen & {case.hash for case in case_set.cases("test")}
    assert candidate.metadata.lineage["base"] == {"name": "tiny", "version": "v1"}

    store.promote("tiny", "v2", overruled=True, note="looked at the case")
    assert store.current("tiny") == "v2"
    assert store.rollback("tiny") == "v1"
    assert [event.action for event in store.history("tiny")][-2:] == ["promote", "rollback"]
    assert Run.read(tmp_path / "run").state == "done"


def test_without_test_cases_the_verdict_says_that_nothing_was_judged(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore
) -> None:
    case_set.set_split("case-3", "train")
    result = finetune(model, case_set, recipe.with_steps(1), store)
    assert result.verdict.outcome is Outcome.TOO_FEW
    assert not result.verdict.table


def test_a_test_case_that_an_ancestor_learned_from_is_refused(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    finetune(model, case_set, recipe.with_steps(1), store)
    case_set.set_split("case-0", "test")
    with pytest.raises(InputError, match="case-0"):
        finetune(store.open("tiny@v2"), case_set, recipe, store, run_folder=tmp_path / "second")
    assert not (tmp_path / "second").exists()  # refused before the training, not after hours of it


def test_another_model_of_the_same_name_is_not_taken_for_a_version(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    weights = {name: tensor + 1 for name, tensor in load_weights(model.weights_path).items()}
    other = ModelFolder.write(tmp_path / "other", model.metadata, model.contract, weights, "# Other\n", half=False)
    with pytest.raises(InputError, match="another model named tiny"):
        finetune(other, case_set, recipe, store)
    same = ModelFolder.open(tmp_path / "tiny")  # where the store has its first version from
    assert finetune(same, case_set, recipe.with_steps(1), store).version == "v2"


def test_two_processes_do_not_train_in_one_folder(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    folder = tmp_path / "run"

    def meddle(_: dict) -> None:
        with pytest.raises(InputError, match="running already"):
            finetune(model, case_set, recipe, store, run_folder=folder, resume=True)

    result = finetune(
        model, case_set, recipe.with_steps(1), store, run_folder=folder, reporter=Reporter(on_metrics=meddle)
    )
    assert result.version == "v2"


def test_forgetting_is_measured_on_a_guard_set_or_reported_as_not_measured(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    guard = CaseSet.create(tmp_path / "guard", case_set.contract)
    made = synthetic_case(55, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
    guard.add("elsewhere", made.study, made.mask, "test")
    measured = finetune(model, case_set, recipe.with_steps(1), store, guard=guard.folder).verdict
    assert measured.guard is not None
    assert {change.case for change in measured.guard.changes} == {"elsewhere"}
    unmeasured = finetune(model, case_set, recipe.with_steps(1), store).verdict
    assert unmeasured.guard is None


def test_no_training_case_and_other_labels_are_refused(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no case to learn"):
        finetune(model, CaseSet.create(tmp_path / "empty", case_set.contract), recipe, store)
    data = case_set.contract.to_dict()
    data["labels"][0]["value"], data["labels"][1]["value"] = data["labels"][1]["value"], data["labels"][0]["value"]
    swapped = type(case_set.contract).from_dict(data)
    with pytest.raises(InputError, match="labels"):
        finetune(model, CaseSet.create(tmp_path / "swapped", swapped), recipe, store)


def test_stop_makes_a_candidate_of_what_there_is(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore
) -> None:
    reporter = Reporter()
    reporter.on_metrics = lambda m: m["step"] >= 2 and reporter.stop_requested.set()
    result = finetune(model, case_set, recipe, store, reporter=reporter)
    assert store.open(f"tiny@{result.version}").metadata.lineage["steps"] == 2


def test_a_cancelled_run_is_resumed_and_finished(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore
) -> None:
    reporter = Reporter()
    reporter.on_metrics = lambda m: m["step"] >= 3 and reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        finetune(model, case_set, recipe, store, reporter=reporter)
    assert [info.version for info in store.versions("tiny")] == ["v1"]
    steps = []
    with pytest.raises(InputError, match="“adapt”"):
        finetune(model, case_set, replace(recipe, name="another"), store, resume=True)
    # The recipe's own number of steps differs: the run goes on with the number that it was started with.
    result = finetune(
        model,
        case_set,
        recipe.with_steps(50),
        store,
        resume=True,
        reporter=Reporter(on_metrics=lambda m: steps.append(m["step"])),
    )
    assert result.version == "v2"
    assert (min(steps), max(steps)) == (4, recipe.steps)
    with pytest.raises(InputError, match="no interrupted training"):
        finetune(model, case_set, recipe, store, resume=True)


def test_a_run_on_changed_cases_is_not_resumed(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore
) -> None:
    reporter = Reporter()
    reporter.on_metrics = lambda _: reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        finetune(model, case_set, recipe, store, reporter=reporter)
    made = synthetic_case(56, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
    case_set.add("late", made.study, made.mask, "train")
    with pytest.raises(InputError, match="changed"):
        finetune(model, case_set, recipe, store, resume=True)


_CHILD = """
import sys
from pathlib import Path
from dataclasses import replace
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.progress import Reporter
from convnextseg_engine.training import judging
from convnextseg_engine.training.finetune import finetune
from convnextseg_engine.training.recipe import Recipe
import json
home, cases, recipe = sys.argv[1:]
judging._PROXIES = 0
store = ModelStore(Path(home), bundled=Path(home) / "nothing-bundled")
finetune(store.open("tiny"), CaseSet.open(Path(cases)), Recipe.from_dict(json.loads(recipe)), store,
         reporter=Reporter(on_metrics=lambda m: print(m["step"], flush=True)))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL; TerminateProcess is covered by the worker's tests")
def test_a_run_that_was_killed_resumes_from_its_checkpoint(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, tmp_path: Path, private_home: Path
) -> None:
    long = recipe.with_steps(400)
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "home"), str(case_set.folder), json.dumps(long.to_dict())],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path(room.__file__).parents[2])}, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 300  # a bound for what is broken, not for what is slow
    for line in child.stdout:
        if int(line) >= 7 or time.monotonic() > deadline:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    steps = []
    reporter = Reporter()
    reporter.on_metrics = lambda m: (steps.append(m["step"]), len(steps) >= 2 and reporter.stop_requested.set())
    result = finetune(model, case_set, long, store, resume=True, reporter=reporter)
    assert result.version == "v2"
    assert min(steps) >= 6


def test_a_recipe_that_grows_the_kernel_makes_a_candidate_with_it(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore
) -> None:
    # Without learning the candidate is the grown network itself.
    growing = replace(recipe, steps=1, learning_rate=0.0, grow_kernel=5, deep_supervision=True)
    result = finetune(model, case_set, growing, store)
    candidate = store.open("tiny@v2")
    assert candidate.metadata.network == model.metadata.network | {"kernel": 5}
    small, large = load_weights(model.weights_path), load_weights(candidate.weights_path)
    assert small.keys() == large.keys()
    name = "enc_block_0.0.conv1.weight"
    expected = torch.nn.functional.interpolate(small[name], size=(5, 5, 5), mode="trilinear")
    torch.testing.assert_close(large[name], expected, atol=1e-3, rtol=1e-3)  # stored in half precision
    assert large["stem.weight"].half().equal(small["stem.weight"].half())
    assert candidate.metadata.lineage["recipe"]["grow_kernel"] == 5
    assert {row.case for row in result.verdict.table} == {"case-3"}
    with pytest.raises(InputError, match="from 5 to 5"):
        finetune(candidate, case_set, growing, store)


# One small network of every family; the registry's own list says whether one is missing here.
FAMILIES: dict[str, dict] = {
    "mednext": {"size": "S", "kernel": 3, "width": 2, "norm": "layer"},
    "convunext": {"width": 2, "kernel": 3, "dim": 2},
    "convnext-unet": {"width": 4, "depths": [1, 1, 1, 1], "kernel": 3},
    "unet3d": {"width": 2, "norm": "layer"},
    "unet": {"width": 2},
    "attention-unet": {"width": 2},
    "unet++": {"width": 2},
    "resunet": {"width": 2},
    "segresnet": {"width": 8},
    "nnunet-unet": {
        "architecture": "PlainConvUNet", "dim": 3, "features": [4, 8], "kernels": [[3, 3, 3]] * 2,
        "strides": [[1, 1, 1], [2, 2, 2]], "blocks": [1, 1], "decoder_blocks": [1],
    },
    "monai": {"architecture": "BasicUNet", "arguments": {"features": [4, 4, 4, 4, 4, 4]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("family", "outputs"), [("mednext", "ordered"), *((family, "exclusive") for family in FAMILIES)]
)
def test_every_family_learns_under_other_programs_rules_of_outputs(
    family: str, outputs: str, contract: LabelContract, recipe: Recipe, store: ModelStore, tmp_path: Path
) -> None:
    if outputs == "exclusive":
        rule = exclusive_contract(contract.labels)
    else:
        regions = tuple(
            replace(r, writes=label.name) for r, label in zip(contract.regions, _inner(contract), strict=True)
        )
        rule = replace(contract, regions=regions, outputs="ordered")
    network = {"name": family, **FAMILIES[family]}
    patch = (1, 64, 64) if network.get("dim") == 2 else (32, 32, 32)
    metadata = Metadata(
        name="foreign", version="v1", title="Foreign", intended_use="For tests only.", network=network,
        channels=("T1", "FLAIR"), spacing=(4.5, 4.5, 4.5), patch=patch,
    )  # fmt: skip
    torch.manual_seed(0)
    weights = build(network, 2, rule.network_outputs).state_dict()
    ModelFolder.write(tmp_path / "foreign", metadata, rule, weights, "# Foreign\n", half=False)
    store.install(tmp_path / "foreign")
    cases = CaseSet.create(tmp_path / "cases", rule)
    made = synthetic_case(100, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
    cases.add("one", made.study, made.mask, "train")
    losses = []
    eager = replace(recipe, steps=1, learning_rate=0.01, deep_supervision=True, average_decay=0.0)
    finetune(
        store.open("foreign"), cases, eager, store, device="cpu",
        reporter=Reporter(on_metrics=lambda m: losses.append(m["loss"])),
    )  # fmt: skip
    assert 0 < losses[0] < 10
    after = load_weights(store.open("foreign@v2").weights_path)
    assert after.keys() == weights.keys()
    assert any(not after[name].half().equal(weights[name].half()) for name in weights)


def _inner(contract: LabelContract) -> list:
    """The label that each nested region has beyond the next smaller one."""
    inner = [set(region.labels) for region in contract.regions[1:]] + [set()]
    return [
        contract.label(*(set(region.labels) - below)) for region, below in zip(contract.regions, inner, strict=True)
    ]


def test_every_family_of_the_registry_is_tried_above() -> None:
    assert set(NETWORKS) == set(FAMILIES)
