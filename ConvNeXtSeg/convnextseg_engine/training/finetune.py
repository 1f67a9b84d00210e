"""Fine-tuning: from corrected cases to a judged candidate version."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..labels.case_set import CaseSet
from ..labels.contract import LabelContract
from ..models.folder import ModelFolder
from ..models.store import ModelStore
from ..models.weights import load_weights
from ..networks.upkern import grow_kernel, grown_network
from ..progress import Reporter
from .candidate import case_fingerprints, write_candidate
from .fit import Task, check_task, chosen_cases, fit
from .gate.verdict import Verdict
from .judging import judge_candidate, refuse_seen_images
from .ranks import joined
from .recipe import Recipe
from .run_folder import Run, in_use, resume_run, start_run


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
    Under ``torchrun`` several processes call this with the same arguments; each gets the result.

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
    with joined(device) as ranks:
        heard = (reporter or Reporter()) if ranks.first else Reporter()
        folder, run = ranks.from_first(
            lambda: _begin(model, case_set, recipe.with_steps(steps), store, run_folder, resume, guard)
        )
        recipe = Recipe.from_dict(run.recipe).with_steps(steps)
        with in_use(folder) if ranks.first else nullcontext():
            if run.state == "stopped":
                heard.stop_requested.set()
            task = _task(model, recipe)
            network = _network(model, task, recipe)
            cases = chosen_cases(case_set)
            state, weights = fit(task, network, cases, recipe, folder, ranks, heard.part(0.0, 0.85))

            def finish() -> FinetuneResult:
                marked = run.moved_to("stopped", folder) if state.step < recipe.steps else run
                staged = folder / "candidate"
                if staged.exists():
                    candidate = ModelFolder.open(staged)  # written completely by this run before it was interrupted
                else:
                    candidate = write_candidate(
                        staged, model, _next_version(store, model), task.network, weights, recipe, state,
                        cases["train"] + cases["validation"],
                    )  # fmt: skip
                verdict = judge_candidate(
                    candidate, store, case_set, guard=guard, device=device, reporter=heard.part(0.85, 1.0)
                )
                version = store.add_candidate(model.metadata.name, staged, verdict.to_dict())
                marked.moved_to("done", folder, version)
                return FinetuneResult(version, verdict, folder)

            return ranks.from_first(finish)


def _begin(
    model: ModelFolder, case_set: CaseSet, recipe: Recipe, store: ModelStore, folder: Path | None, resume: bool,
    guard: Path | None,
) -> tuple[Path, Run]:  # fmt: skip
    """Check everything that can be checked before hours of work, and record the run."""
    store.check_writable()
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
    cases = chosen_cases(case_set)
    used = cases["train"] + cases["validation"]
    refuse_seen_images({*model.metadata.training_cases, *case_fingerprints(used)}, case_set, guard)
    if guard is not None:
        _check_labels(model.contract, CaseSet.open(guard))
    check_task(_task(model, recipe), recipe)
    hashes = {split: [case.hash for case in items] for split, items in cases.items()}
    wanted = Run(model.spec, str(case_set.folder.absolute()), recipe.to_dict(), hashes)
    return (resume_run if resume else start_run)(wanted, folder)


def _task(model: ModelFolder, recipe: Recipe) -> Task:
    """Return what is to be learned: by the model's own network, or by the one that a recipe grows from it."""
    metadata = model.metadata
    larger = recipe.grow_kernel
    network = metadata.network if larger is None else grown_network(metadata.network, larger)
    return Task(network, model.contract, model.input_spec, recipe.patch or metadata.patch)


def _network(model: ModelFolder, task: Task, recipe: Recipe) -> nn.Module:
    """Return the network with the model's weights, grown if need be; of an ensemble, those of the first member.

    Deep supervision adds heads that a finished model does not keep.
    """
    weights = load_weights(model.weights_path)
    if recipe.grow_kernel is not None:
        with torch.device("meta"):
            larger = task.build()
        weights = grow_kernel(weights, larger)
    torch.manual_seed(recipe.seed)
    network = task.build(recipe.deep_supervision)
    network.load_state_dict(network.state_dict() | weights)
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
