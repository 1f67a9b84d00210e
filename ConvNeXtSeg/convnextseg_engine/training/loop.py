"""The training loop: AdamW with warm-up, deep supervision, a running average of the weights, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from monai.losses import DiceLoss
from torch import nn
from torch.nn import functional as F

from ..errors import ConvNeXtSegError
from ..progress import Reporter
from .checkpoint import TrainingState, read_checkpoint, write_checkpoint
from .recipe import Recipe
from .samples import PatchSource

Validation = Callable[[nn.Module], dict[str, float]]


def learning_rate_factor(step: int, recipe: Recipe) -> float:
    """Return the learning rate of ``step`` (0, 1, …) relative to the recipe's peak: linear warm-up, then poly 0.9."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return (1 - done) ** 0.9


def region_loss(logits: torch.Tensor | list[torch.Tensor], regions: torch.Tensor) -> torch.Tensor:
    """Return Dice plus binary cross-entropy, over all resolutions with weights 1, 1/2, 1/4, … (normalised).

    Args:
        logits: ``(N, R, …)``, or a list from full to coarser resolutions (deep supervision).
        regions: Truth ``(N, R, …)`` in 0..1 at full resolution; coarser truth is its mean over the coarser voxel.
    """
    levels = logits if isinstance(logits, list) else [logits]
    weights = [0.5**i for i in range(len(levels))]
    # A Dice denominator over the batch, smoothed by one voxel: a patch without a region then asks for silence gently.
    dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)
    total = logits[0].new_zeros(()) if isinstance(logits, list) else logits.new_zeros(())
    for level, weight in zip(levels, weights, strict=True):
        truth = regions if level.shape == regions.shape else F.adaptive_avg_pool3d(regions, level.shape[2:])
        total = total + weight * (dice(level, truth) + F.binary_cross_entropy_with_logits(level, truth))
    return total / sum(weights)


class Averaged:
    """A running average of a network's weights (Polyak averaging), quick at first and slower later."""

    def __init__(self, network: nn.Module, decay: float):
        self._decay = decay
        self.weights = {key: value.detach().clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's weights after ``step`` steps."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            self.weights[key].lerp_(value.to(self.weights[key].dtype), 1 - decay)


def train(
    network: nn.Module,
    source: PatchSource,
    recipe: Recipe,
    *,
    checkpoint: Path,
    resume: bool = False,
    validate: Validation | None = None,
    device: str = "cpu",
    reporter: Reporter | None = None,
) -> TrainingState:
    """Train ``network`` in place and leave the weights to keep in ``TrainingState.best_weights``.

    The weights kept are those of the best validation, or the last averaged ones where there is no validation. Metrics
    are reported each step (``step``, ``loss``, ``learning_rate``) and with each validation (``validation_dice`` by
    region). ``reporter.stop_requested`` ends the run early and keeps what it has; Cancel writes a checkpoint first.

    Args:
        network: The network, on the CPU; its ``deep_supervision`` is set from the recipe by the caller.
        source: Where batches come from.
        recipe: The recipe.
        checkpoint: File for checkpoints; written atomically.
        resume: Continue from ``checkpoint`` if it exists.
        validate: Returns Dice per region of a network in eval mode.
        device: A torch device.
        reporter: Progress, metrics and the wish to end.

    Raises:
        RunCancelled: If the user cancelled; the checkpoint then holds everything up to the last step.
        ConvNeXtSegError: If the loss is not a number three steps in a row.
    """
    reporter = reporter or Reporter()
    network.to(device=device, memory_format=torch.channels_last_3d).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, eps=recipe.epsilon, fused=True
    )
    averaged = Averaged(network, recipe.average_decay)
    state = TrainingState()
    if resume and checkpoint.is_file():
        state = read_checkpoint(checkpoint, network, optimizer, averaged.weights, recipe)

    def save() -> None:
        write_checkpoint(checkpoint, network, optimizer, averaged.weights, recipe, state)

    losses: list[float] = []
    failures = 0
    try:
        for step, (image, regions) in source.prefetched(state.step, recipe.steps - 1):
            reporter.progress("training", state.step / recipe.steps, f"step {step + 1} of {recipe.steps}")
            if reporter.stop_requested.is_set():
                break
            loss = _step(network, optimizer, image.to(device), regions.to(device), recipe, step)
            failures = 0 if math.isfinite(loss) else failures + 1
            if failures >= 3:
                raise ConvNeXtSegError(
                    "The training diverged.",
                    reason="The loss was not a number three steps in a row.",
                    remedy="Check the cases with “cases check”, or use a recipe with a lower learning rate.",
                    code="diverged",
                )
            averaged.update(network, step)
            state.step = step + 1
            losses.append(loss)
            reporter.metrics({"step": state.step, "loss": loss, "learning_rate": optimizer.param_groups[0]["lr"]})
            if validate and (state.step % recipe.validate_every == 0 or state.step == recipe.steps):
                _validate(network, averaged, validate, state, losses, reporter)
                losses.clear()
            if state.step % recipe.checkpoint_every == 0:
                save()
    except BaseException:
        if state.step:
            save()
        raise
    if validate and (not state.history or state.history[-1]["step"] != state.step):
        _validate(network, averaged, validate, state, losses or [float("nan")], reporter)
    if state.best_weights is None:
        state.best_weights = {key: value.clone() for key, value in averaged.weights.items()}
    save()
    return state


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, image: torch.Tensor, regions: torch.Tensor,
    recipe: Recipe, step: int,
) -> float:  # fmt: skip
    for group in optimizer.param_groups:
        group["lr"] = recipe.learning_rate * learning_rate_factor(step, recipe)
    loss = region_loss(network(image.contiguous(memory_format=torch.channels_last_3d)), regions)
    optimizer.zero_grad(set_to_none=True)
    value = float(loss.detach())
    if math.isfinite(value):  # a bad batch must not poison the weights
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.gradient_clip)
        optimizer.step()
    return value


def _validate(
    network: nn.Module, averaged: Averaged, validate: Validation, state: TrainingState, losses: list[float],
    reporter: Reporter,
) -> None:  # fmt: skip
    started = time.monotonic()
    raw = {key: value.clone() for key, value in network.state_dict().items()}
    network.load_state_dict(averaged.weights)
    network.eval()
    try:
        dice = validate(network)
    finally:
        network.load_state_dict(raw)
        network.train()
    score = sum(dice.values()) / len(dice)
    entry = {"step": state.step, "loss": sum(losses) / len(losses), "validation_dice": dice}
    state.history.append(entry)
    if state.best_score is None or score > state.best_score:
        state.best_score = score
        state.best_weights = {key: value.clone() for key, value in averaged.weights.items()}
    reporter.metrics({**entry, "validation_seconds": time.monotonic() - started})
