"""One optimiser step, and the running average over many of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from .losses import Loss
from .ranks import Ranks, without_exchange
from .recipe import EXPONENTIAL, Recipe
from .stages import freeze, frozen_at, unfreeze

Batch = tuple[torch.Tensor, torch.Tensor]
# Where the exponential decay ends, relative to the peak: the sources that use it do not say.
_EXPONENTIAL_END = 0.01


def learning_rate_factor(step: int, recipe: Recipe) -> float:
    """Return the learning rate of ``step`` (0, 1, …) relative to the recipe's peak: linear warm-up, then its decay."""
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return _EXPONENTIAL_END**done if recipe.decay == EXPONENTIAL else (1 - done) ** 0.9


class Steps:
    """Takes optimiser steps.

    Args:
        network: The network, in training mode, on its device.
        optimizer: Over all its parameters.
        loss: Of logits and regions.
        recipe: The recipe.
        ranks: The processes that train together.
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, loss: Loss, recipe: Recipe, ranks: Ranks):
        self._network, self._optimizer, self._loss = network, optimizer, loss
        self._recipe, self._ranks = recipe, ranks
        self._together = network
        self._frozen: tuple[str, ...] | None = None  # not arranged yet

    @property
    def learning_rate(self) -> float:
        """The rate of the last step."""
        return self._optimizer.param_groups[0]["lr"]

    def take(self, batches: Iterator[tuple[int, Batch]], step: int) -> float | None:
        """Take one step with the next batches and return its loss, averaged over them and over the processes.

        Returns None, and changes nothing, if the loss of one of the batches is not a number: a bad batch must not
        poison the weights.

        Raises:
            InputError: If the recipe freezes a part that the network does not have.
        """
        self._thaw(step)
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.learning_rate * learning_rate_factor(step, self._recipe)
        self._optimizer.zero_grad(set_to_none=True)
        number = self._recipe.accumulate
        losses = [self._backward(next(batches)[1], last=index == number - 1) for index in range(number)]
        if not all(math.isfinite(value) for value in losses):
            self._optimizer.zero_grad(set_to_none=True)
            return None
        nn.utils.clip_grad_norm_(self._network.parameters(), self._recipe.gradient_clip)
        self._optimizer.step()
        return sum(losses) / number

    def _backward(self, batch: Batch, last: bool) -> float:
        image, regions = (part.to(self._ranks.device) for part in batch)
        with without_exchange(self._together, not last):
            logits = self._together(image.contiguous(memory_format=torch.channels_last_3d))
            loss = self._loss(logits, regions)
            (loss / self._recipe.accumulate).backward()
        return self._ranks.mean(float(loss.detach()))

    def _thaw(self, step: int) -> None:
        """Let the parts learn that this step thaws."""
        frozen = frozen_at(step, self._recipe.freeze)
        if frozen != self._frozen:
            unfreeze(self._network)
            freeze(self._network, frozen)
            self._together, self._frozen = self._ranks.together(self._network), frozen


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
            if value.is_floating_point():
                self.weights[key].lerp_(value.to(self.weights[key].dtype), 1 - decay)
            else:  # a counter, such as batch normalisation's
                self.weights[key].copy_(value)
