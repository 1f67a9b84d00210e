"""Training a new model from a network's name and a case set; it becomes version v1 of its name.

There is no model to compare it with, hence no gate: how well it does on the set's validation and test cases is
measured, and stands in the model's card.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import InputError
from ..images.prepare import InputSpec
from ..labels.case_set import CaseSet
from ..models.metadata import is_model_name
from ..models.store import ModelStore
from ..networks.convnext_weights import EncoderWeights, load_encoder_weights
from ..networks.slicewise import SliceWise
from ..progress import Reporter
from .first_version import VERSION, first_metadata, write_first_version
from .fit import Task, check_task, chosen_cases, fit
from .new_model import Design, NewModel, designed
from .ranks import joined
from .recipe import Recipe
from .run_folder import Run, in_use, resume_run, start_run
from .scores import Evaluation


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        spec: The new model, ``"name@v1"``.
        evaluations: What was measured by split: ``"validation"`` and ``"test"``, as far as the set has such cases.
        run_folder: Where the run's files are.
    """

    spec: str
    evaluations: dict[str, Evaluation]
    run_folder: Path


def train_from_scratch(
    new: NewModel,
    case_set: CaseSet,
    recipe: Recipe,
    store: ModelStore,
    *,
    run_folder: Path | None = None,
    steps: int | None = None,
    resume: bool = False,
    device: str = "auto",
    reporter: Reporter | None = None,
) -> TrainResult:
    """Train a new model on the ``train`` cases of a set and install it in the store.

    ``validation`` cases choose the weights to keep; ``test`` cases are only measured. Stopping, cancelling, resuming
    and ``torchrun`` work as in :func:`~convnextseg_engine.training.finetune.finetune`.

    Args:
        new: What to make; a resumed run goes on with what it began with, of this name and network.
        case_set: Cases; its label contract becomes the model's.
        recipe: How to train.
        store: Where the model goes.
        run_folder: Folder of this run; a new one in the user's ConvNeXtSeg folder by default.
        steps: Other number of steps than the recipe's (than the run's, when it is resumed).
        resume: Continue the newest unfinished run for this name on this set, or the one in ``run_folder``.
        device: ``"auto"``, ``"cpu"``, ``"cuda:0"``, ``"mps"``.
        reporter: Progress, metrics, cancel and stop.

    Raises:
        InputError: If the name is taken, there is no training case or no such network, or nothing to resume.
        RunCancelled: If the user cancelled.
    """
    with joined(device) as ranks:
        heard = (reporter or Reporter()) if ranks.first else Reporter()
        folder, run = ranks.from_first(
            lambda: _begin(new, case_set, recipe.with_steps(steps), store, run_folder, resume)
        )
        recipe, design = Recipe.from_dict(run.recipe).with_steps(steps), Design.from_dict(run.new_model)
        with in_use(folder) if ranks.first else nullcontext():
            if run.state == "stopped":
                heard.stop_requested.set()
            task, cases = _task(design, case_set), chosen_cases(case_set)
            network, start = _network(task, design, recipe)
            state, weights = fit(task, network, cases, recipe, folder, ranks, heard.part(0.0, 0.9))

            def finish() -> TrainResult:
                marked = run.moved_to("stopped", folder) if state.step < recipe.steps else run
                draft = first_metadata(design, cases, recipe, state, start)
                place = folder / "model"
                found = write_first_version(place, draft, case_set, weights, device, heard.part(0.9, 1.0))
                store.install(place)
                marked.moved_to("done", folder, VERSION)
                return TrainResult(f"{design.name}@{VERSION}", found, folder)

            return ranks.from_first(finish)


def _begin(
    new: NewModel, case_set: CaseSet, recipe: Recipe, store: ModelStore, folder: Path | None, resume: bool
) -> tuple[Path, Run]:
    """Check everything that can be checked before hours of work, and record the run."""
    store.check_writable()
    if not is_model_name(new.name) or new.name in store.names():
        taken = is_model_name(new.name)
        raise InputError(
            f"There is a model named {new.name} already." if taken else f"“{new.name}” cannot name a model.",
            reason="A model is never overwritten." if taken else "Its name becomes a folder.",
            remedy="Choose another name: lower-case letters, digits and hyphens.",
            code="exists" if taken else "bad-name",
        )
    if recipe.grow_kernel is not None:
        raise InputError(
            f"The recipe “{recipe.name}” grows the kernel of a trained network, but this training has none.",
            remedy="Train with the small kernel first, then fine-tune that model with this recipe.",
            code="bad-recipe",
        )
    cases = chosen_cases(case_set)
    design = designed(new, cases["train"], recipe.patch)
    task = _task(design, case_set)
    check_task(task, recipe)
    if design.encoder_weights:
        _network(task, design, recipe)
    hashes = {split: [case.hash for case in items] for split, items in cases.items()}
    wanted = Run(
        f"{new.name}@{VERSION}", str(case_set.folder.absolute()), recipe.to_dict(), hashes, new_model=design.to_dict()
    )
    if not resume:
        return start_run(wanted, folder)
    folder, run = resume_run(wanted, folder)
    began = run.new_model
    if began.get("network") != design.network:
        raise InputError(
            f"The interrupted training trains {began.get('network_name', 'an existing model')}, "
            f"not {design.network_name}{' with these choices' if new.choices else ''}.",
            reason="A training goes on as it began.",
            remedy="Resume it with its own network, or start a new training.",
            code="other-network",
        )
    return folder, run


def _task(design: Design, case_set: CaseSet) -> Task:
    return Task(design.network, case_set.contract, InputSpec(design.channels, design.spacing), design.patch)


def _network(task: Task, design: Design, recipe: Recipe) -> tuple[nn.Module, EncoderWeights | None]:
    """Return the network to begin with, and which published weights it has."""
    torch.manual_seed(recipe.seed)
    network = task.build(recipe.deep_supervision)
    if not design.encoder_weights:
        return network, None
    inner = network.network if isinstance(network, SliceWise) else network
    return network, load_encoder_weights(inner, Path(design.encoder_weights), inflation=design.inflation)
