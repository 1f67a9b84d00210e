"""Fitting a network to the cases of a set: what fine-tuning and training from scratch have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from ..images.prepare import InputSpec
from ..labels.case import Case
from ..labels.contract import LabelContract
from ..networks.extents import check_patch
from ..networks.registry import build
from ..networks.slicewise import SliceWise, slicing_axis
from ..progress import Reporter
from .checkpoint import TrainingState
from .loop import train
from .losses import loss_for
from .ranks import Ranks
from .recipe import Recipe
from .samples import PatchSource, TrainingCase, training_case
from .stages import freeze
from .synthetic_source import synthetic_source
from .validate import validation_of

_CHECKPOINT = "checkpoint.pt"
Cases = dict[str, list[Case]]


@dataclass(frozen=True)
class Task:
    """What a network is to learn.

    Attributes:
        network: What ``networks.registry.build`` takes.
        contract: Labels and regions.
        spec: What the network is given.
        patch: Extent of a sample along D, H, W, in voxels; one voxel thick along one axis for a 2D network.
    """

    network: dict[str, Any]
    contract: LabelContract
    spec: InputSpec
    patch: tuple[int, int, int]

    def build(self, deep_supervision: bool = False) -> nn.Module:
        """Return the network, freshly initialised; with coarser outputs too, if it is wished and its family has them.

        Raises:
            InputError: If there is no such network, or it cannot take the patch.
        """
        network = build(
            self.network, len(self.spec.channels), self.contract.network_outputs, deep_supervision=deep_supervision
        )
        if self.network.get("dim") == 2:
            if 1 not in self.patch:
                raise InputError(
                    f"A 2D network cannot learn from samples of {' × '.join(map(str, self.patch))} voxels.",
                    reason="It sees one slice at a time.",
                    remedy="Give a patch that is 1 along the axis to slice, for example 1 × 256 × 256.",
                    code="bad-patch",
                )
            network = SliceWise(network, slicing_axis(self.patch))
        check_patch(network, self.patch)
        return network


def check_task(task: Task, recipe: Recipe) -> None:
    """Refuse what cannot be trained, before hours of work and without the network's memory.

    Raises:
        InputError: If there is no such network, it cannot take the patch, or the recipe freezes a part that it does not
            have, or all of it.
    """
    with torch.device("meta"):
        network = task.build(recipe.deep_supervision)
    freeze(network, recipe.freeze)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(
            f"With the recipe “{recipe.name}” nothing of the network would learn.",
            reason=f"It freezes {', '.join(recipe.freeze)}.",
            remedy="Leave a part of the network out of the entry “freeze”.",
            code="bad-recipe",
        )


def chosen_cases(case_set: Any) -> Cases:
    """Return the ``train`` and ``validation`` cases of a set; raises :class:`InputError` if there is none to train."""
    cases = {split: case_set.cases(split) for split in ("train", "validation")}
    if not cases["train"]:
        raise InputError(
            "There is no case to learn from.",
            reason=f"{case_set.folder.name} has no case in the split “train”.",
            remedy="Export a corrected label into the case set first.",
            code="no-training-cases",
        )
    return cases


def fit(
    task: Task, network: nn.Module, cases: Cases, recipe: Recipe, folder: Path, ranks: Ranks, reporter: Reporter
) -> tuple[TrainingState, dict[str, torch.Tensor]]:
    """Train a network, or go on from the checkpoint in ``folder``.

    Args:
        task: What it is to learn.
        network: From :meth:`Task.build`, with the weights to start from.
        cases: ``train`` cases to learn from, ``validation`` cases that choose the weights to keep.
        recipe: How to train.
        folder: The run's folder.
        ranks: The processes that train together.
        reporter: Progress, metrics, cancel and stop.

    Returns:
        What the training reached, and the weights to keep, on the CPU, without the coarser outputs' heads.
    """
    ready = _prepared(cases if ranks.first else {"train": cases["train"]}, task, reporter.part(0.0, 0.06))
    part = reporter.part(0.06, 1.0)
    state = train(
        network,
        PatchSource(ready["train"], recipe, task.patch, synthetic_source(recipe, task.contract, task.spec), ranks),
        recipe,
        checkpoint=folder / _CHECKPOINT,
        resume=(folder / _CHECKPOINT).is_file(),
        validate=validation_of(ready.get("validation", []), task.contract, task.patch, ranks.device, part),
        loss=loss_for(task.contract.outputs),
        ranks=ranks,
        reporter=part,
    )
    with torch.device("meta"):
        kept = task.build().state_dict()
    return state, {key: value.cpu() for key, value in state.best_weights.items() if key in kept}


def _prepared(cases: Cases, task: Task, reporter: Reporter) -> dict[str, list[TrainingCase]]:
    ready: dict[str, list[TrainingCase]] = {split: [] for split in cases}
    total = sum(len(items) for items in cases.values())
    for split, items in cases.items():
        for case in items:
            reporter.progress("prepare", sum(map(len, ready.values())) / total, f"case {case.id}")
            ready[split].append(training_case(case.study(), case.mask(), task.contract, task.spec))
    return ready
