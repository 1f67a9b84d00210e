"""Fine-tuning: from corrected cases to a judged candidate version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..inference.device import choose_device
from ..labels.case import Case
from ..labels.case_set import CaseSet
from ..labels.contract import LabelContract
from ..models.folder import ModelFolder
from ..models.store import ModelStore
from ..models.weights import load_weights
from ..networks.registry import build
from ..progress import Reporter
from .candidate import case_fingerprints, write_candidate
from .checkpoint import TrainingState
from .gate.verdict import Verdict
from .judging import judge_candidate, refuse_seen_images
from .loop import train
from .recipe import Recipe
from .run_folder import Run, in_use, new_run_folder, unfinished_run
from .samples import PatchSource, TrainingCase, training_case
from .synthetic_source import synthetic_source
from .validate import validation_of

_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class FinetuneResult:
    """A finished run: the candidate's version in the store, the gate's verdict, and where the run's files are."""

    version: str
    verdict: Verdict
    run_folder: Path


def finetune(
    model: ModelFolder,
    case_set: CaseSet,
    recipe: Recipe,
    store: ModelStore,
    *,
    run_folder: Path | None = None,
    steps: int | None = None,
    resume: bool = False,
    guard: Path | None = None,
    device: str = "auto",
    reporter: Reporter | None = None,
) -> FinetuneResult:
    """Fine-tune a model on the ``train`` cases of a set and add the result to the store as a candidate.

    ``validation`` cases choose the weights to keep, ``test`` cases judge; a case serves one purpose only. The run can
    be stopped (what it has becomes the candidate), cancelled, or killed; ``resume`` continues at its last checkpoint.

    Args:
        model: The model to start from.
        case_set: Corrected cases; its labels must be the model's.
        recipe: How to train; a resumed run goes on with the recipe it began with, which must have this name.
        store: Where the candidate goes.
        run_folder: Folder of this run; a new one in the user's ConvNeXtSeg folder by default.
        steps: Other number of steps than the recipe's (than the run's, when it is resumed).
        resume: Continue the newest unfinished run of this model on this set, or the one in ``run_folder``.
        guard: A case set on which forgetting is measured.
        device: ``"auto"``, ``"cpu"``, ``"cuda:0"``, ``"mps"``.
        reporter: Progress, metrics, cancel and stop.

    Raises:
        InputError: If there is no training case, the labels differ, or there is nothing to resume.
        RunCancelled: If the user cancelled.
    """
    reporter = reporter or Reporter()
    _check_labels(model.contract, case_set)
    if model.metadata.name not in store.names():
        store.install(model.path)  # a candidate needs its base beside it, to be judged against and to roll back to
    elif not store.holds(model):
        raise InputError(
            f"There is another model named {model.metadata.name} on this computer.",
            reason=f"The folder {model.path.name} is none of its versions, so its candidate would be judged against "
            "the wrong model.",
            remedy="Choose a version that “models list” shows, or ask whoever made the folder for another name.",
            code="other-model",
        )
    cases = {split: case_set.cases(split) for split in ("train", "validation")}
    if not cases["train"]:
        raise InputError(
            "There is no case to learn from.",
            reason=f"{case_set.folder.name} has no case in the split “train”.",
            remedy="Export a corrected label into the case set first.",
            code="no-training-cases",
        )
    used = cases["train"] + cases["validation"]
    # Before the training rather than after it: hours of work must not end in a refusal.
    refuse_seen_images({*model.metadata.training_cases, *case_fingerprints(used)}, case_set, guard)
    if guard is not None:
        _check_labels(model.contract, CaseSet.open(guard))
    where = choose_device(device).name
    folder, run = _run(model, case_set, recipe.with_steps(steps), cases, run_folder, resume)
    with in_use(folder):
        recipe = Recipe.from_dict(run.recipe).with_steps(steps)
        if run.state == "stopped":
            reporter.stop_requested.set()
        state, weights = _train(model, recipe, cases, folder, where, reporter)
        if state.step < recipe.steps:
            run = run.moved_to("stopped", folder)
        staged = folder / "candidate"
        if staged.exists():
            candidate = ModelFolder.open(staged)  # written completely by this run before it was interrupted
        else:
            candidate = write_candidate(staged, model, _next_version(store, model), weights, recipe, state, used)
        verdict = judge_candidate(
            candidate, store, case_set, guard=guard, device=device, reporter=reporter.part(0.85, 1.0)
        )
        version = store.add_candidate(model.metadata.name, staged, verdict.to_dict())
        run.moved_to("done", folder, version)
        return FinetuneResult(version, verdict, folder)


def _run(
    model: ModelFolder,
    case_set: CaseSet,
    recipe: Recipe,
    cases: dict[str, list[Case]],
    folder: Path | None,
    resume: bool,
) -> tuple[Path, Run]:
    hashes = {split: [case.hash for case in items] for split, items in cases.items()}
    if resume:
        folder = folder or unfinished_run(model.spec, case_set.folder)
        if folder is None:
            raise InputError(
                "There is no interrupted training to resume.",
                reason=f"No unfinished run of {model.spec} on {case_set.folder.name} was found.",
                remedy="Start a new training without resuming.",
                code="nothing-to-resume",
            )
        run = Run.read(folder)
        if run.case_hashes != hashes:
            raise InputError(
                "The interrupted training cannot be resumed.",
                reason="The cases have changed since it began.",
                remedy="Start a new training, so that all of it sees the same cases.",
                code="cases-changed",
            )
        if run.recipe["name"] != recipe.name:
            raise InputError(
                f"The interrupted training was started with the recipe “{run.recipe['name']}”, not “{recipe.name}”.",
                reason="A training goes on as it began.",
                remedy="Resume it with its own recipe, or start a new training.",
                code="other-recipe",
            )
        return folder, run
    folder = folder or new_run_folder(model.metadata.name)
    if (folder / "run.json").exists():
        raise InputError(
            f"{folder.name} holds a training run already.", reason="Nothing is overwritten.",
            remedy="Resume it, or choose another folder.", code="exists",
        )  # fmt: skip
    run = Run(
        model.spec, str(case_set.folder.absolute()), recipe.to_dict(), hashes,
        started=datetime.now(UTC).isoformat(timespec="microseconds"),
    )  # fmt: skip
    run.write(folder)
    return folder, run


def _train(
    model: ModelFolder, recipe: Recipe, cases: dict[str, list[Case]], folder: Path, device: str,
    reporter: Reporter,
) -> tuple[TrainingState, dict[str, torch.Tensor]]:  # fmt: skip
    contract, spec = model.contract, model.input_spec
    ready: dict[str, list[TrainingCase]] = {"train": [], "validation": []}
    total = sum(len(items) for items in cases.values())
    for split, items in cases.items():
        for case in items:
            done = len(ready["train"]) + len(ready["validation"])
            reporter.progress("prepare", 0.05 * done / total, f"case {case.id}")
            ready[split].append(training_case(case.study(), case.mask(), contract, spec))

    patch = recipe.patch or model.metadata.patch
    torch.manual_seed(recipe.seed)
    network = _network(model, recipe)
    part = reporter.part(0.05, 0.85)
    state = train(
        network,
        PatchSource(ready["train"], recipe, patch, synthetic_source(recipe, contract, spec)),
        recipe,
        checkpoint=folder / _CHECKPOINT,
        resume=(folder / _CHECKPOINT).is_file(),
        validate=validation_of(ready["validation"], contract, patch, device, part),
        device=device,
        reporter=part,
    )
    kept = build(model.metadata.network, len(spec.channels), len(contract.regions)).state_dict()
    return state, {key: value.cpu() for key, value in state.best_weights.items() if key in kept}


def _network(model: ModelFolder, recipe: Recipe) -> nn.Module:
    """Return the model's network; deep supervision adds heads that a finished model does not keep."""
    network = build(
        model.metadata.network, len(model.metadata.channels), len(model.contract.regions),
        deep_supervision=recipe.deep_supervision,
    )  # fmt: skip
    own = network.state_dict()
    network.load_state_dict(own | load_weights(model.weights_path))
    return network


def _check_labels(contract: LabelContract, case_set: CaseSet) -> None:
    if not contract.same_labels(case_set.contract):
        raise InputError(
            "The case set does not have the model's labels.",
            reason=f"The model knows {', '.join(label.name for label in contract.labels)}; "
            f"{case_set.folder.name} has {', '.join(label.name for label in case_set.contract.labels)}.",
            remedy="Choose the model whose labels were corrected, or export the cases for this model.",
            code="labels-differ",
        )


def _next_version(store: ModelStore, model: ModelFolder) -> str:
    return f"v{max(int(info.version[1:]) for info in store.versions(model.metadata.name)) + 1}"
