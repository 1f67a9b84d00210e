"""The training loop: AdamW with warm-up, deep supervision, a running average of the weights, checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import torch
from torch import nn

from ..errors import ConvNeXtSegError
from ..networks.fused import recycled
from ..networks.slicewise import SliceWise
from ..progress import Reporter
from .checkpoint import TrainingState, read_checkpoint, write_checkpoint
from .losses import Loss, region_loss
from .ranks import Ranks
from .recipe import Recipe
from .samples import PatchSource
from .steps import Averaged, Steps

Validation = Callable[[nn.Module], dict[str, float]]


def train(
    network: nn.Module,
    source: PatchSource,
    recipe: Recipe,
    *,
    checkpoint: Path,
    resume: bool = False,
    validate: Validation | None = None,
    loss: Loss = region_loss,
    ranks: Ranks | None = None,
    reporter: Reporter | None = None,
) -> TrainingState:
    """Train ``network`` in place and leave the weights to keep in ``TrainingState.best_weights``.

    The weights kept are those of the best validation, or the last averaged ones where there is no validation. Metrics
    are reported each step (``step``, ``loss``, ``learning_rate``) and with each validation (``validation_dice`` by
    region). ``reporter.stop_requested`` ends the run early and keeps what it has; Cancel writes a checkpoint first.
    With several processes the first one validates, writes checkpoints and reports; all end with the same weights.

    Args:
        network: The network, on the CPU; its ``deep_supervision`` is set from the recipe by the caller.
        source: Where batches come from.
        recipe: The recipe.
        checkpoint: File for checkpoints, which all processes can read; written atomically.
        resume: Continue from ``checkpoint`` if it exists.
        validate: Returns Dice per region of a network in eval mode; called in the first process only.
        loss: Of logits and regions; see :func:`~convnextseg_engine.training.losses.loss_for`.
        ranks: The processes that train together, and this one's device; this process alone on the CPU by default.
        reporter: Progress, metrics and the wish to end.

    Raises:
        RunCancelled: If the user cancelled; the checkpoint then holds everything up to the last step.
        ConvNeXtSegError: If the loss is not a number three steps in a row.
        InputError: If the recipe freezes a part that the network does not have.
    """
    ranks, reporter = ranks or Ranks(), reporter or Reporter()
    network.to(device=ranks.device, memory_format=_channels_last(network)).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, eps=recipe.epsilon, fused=True
    )
    averaged = Averaged(network, recipe.average_decay)
    state = TrainingState()
    if resume and checkpoint.is_file():
        state = read_checkpoint(checkpoint, network, optimizer, averaged.weights, recipe)
    steps = Steps(network, optimizer, loss, recipe, ranks)

    def save() -> None:
        if ranks.first:
            write_checkpoint(checkpoint, network, optimizer, averaged.weights, recipe, state)

    losses: list[float] = []
    failures = 0
    try:
        with closing(source.prefetched(state.step, recipe.steps - 1)) as batches:
            while state.step < recipe.steps:
                reporter.progress("training", state.step / recipe.steps, f"step {state.step + 1} of {recipe.steps}")
                if ranks.any(reporter.stop_requested.is_set() or state.has_stalled(recipe.patience)):
                    break
                value = steps.take(batches, state.step)
                failures = 0 if value is not None else failures + 1
                _check_failures(failures)
                averaged.update(network, state.step)
                state.step += 1
                losses.append(float("nan") if value is None else value)
                reporter.metrics({"step": state.step, "loss": losses[-1], "learning_rate": steps.learning_rate})
                if validate and (state.step % recipe.validate_every == 0 or state.step == recipe.steps):
                    _validate(network, averaged, validate, state, losses, reporter)
                    losses.clear()
                if state.step % recipe.checkpoint_every == 0:
                    save()
    except BaseException:
        if state.step:
            save()
        raise
    finally:
        recycled.release()  # memory that waited for the next step
    if validate and (not state.history or state.history[-1]["step"] != state.step):
        _validate(network, averaged, validate, state, losses or [float("nan")], reporter)
    if state.best_weights is None:
        state.best_weights = {key: value.clone() for key, value in averaged.weights.items()}
    save()
    return state


def _channels_last(network: nn.Module) -> torch.memory_format:
    volumes = isinstance(network, SliceWise) or any(p.dim() == 5 for p in network.parameters())
    return torch.channels_last_3d if volumes else torch.channels_last


def _check_failures(failures: int) -> None:
    if failures >= 3:
        raise ConvNeXtSegError(
            "The training diverged.",
            reason="The loss was not a number three steps in a row.",
            remedy="Check the cases with “cases check”, or use a recipe with a lower learning rate.",
            code="diverged",
        )


def _validate(
    network: nn.Module, averaged: Averaged, validate: Validation, state: TrainingState, losses: list[float],
    reporter: Reporter,
) -> None:  # fmt: skip
    started = time.monotonic()
    raw = {key: value.clone() for key, value in network.state_dict().items()}
    learning = {module: module.training for module in network.modules()}  # frozen parts stay out of training mode
    network.load_state_dict(averaged.weights)
    network.eval()
    try:
        dice = validate(network)
    finally:
        network.load_state_dict(raw)
        for module, mode in learning.items():
            module.training = mode
    score = sum(dice.values()) / len(dice)
    entry = {"step": state.step, "loss": sum(losses) / len(losses), "validation_dice": dice}
    state.history.append(entry)
    if state.best_score is None or score > state.best_score:
        state.best_score = score
        state.best_weights = {key: value.clone() for key, value in averaged.weights.items()}
    reporter.metrics({**entry, "validation_seconds": time.monotonic() - started})
