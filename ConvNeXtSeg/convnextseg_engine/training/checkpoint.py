"""Checkpoints of a training run: everything needed to go on as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import InputError
from .recipe import Recipe


@dataclass
class TrainingState:
    """What a run has reached.

    Attributes:
        step: Steps done.
        best_score: Best mean validation Dice so far, or None without validation.
        best_weights: Weights that reached it.
        history: One entry a validation: step, loss and Dice per region.
    """

    step: int = 0
    best_score: float | None = None
    best_weights: dict[str, torch.Tensor] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def has_stalled(self, patience: int) -> bool:
        """Say whether the last ``patience`` validations (0: any number) brought nothing better than one before them."""
        scores = [sum(entry["validation_dice"].values()) / len(entry["validation_dice"]) for entry in self.history]
        return 0 < patience < len(scores) and max(scores[-patience:]) <= max(scores[:-patience])


def _fingerprint(recipe: Recipe) -> str:
    """Return a digest of what decides samples and optimiser."""
    return hashlib.sha256(json.dumps(recipe.decisive(), sort_keys=True).encode()).hexdigest()


def write_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, averaged: dict[str, torch.Tensor],
    recipe: Recipe, state: TrainingState,
) -> None:  # fmt: skip
    """Write a checkpoint under a temporary name, flush it, and rename it, so that a crash leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".writing")
    with temporary.open("wb") as stream:
        torch.save(
            {
                "recipe": _fingerprint(recipe),
                "step": state.step,
                "best_score": state.best_score,
                "best_weights": state.best_weights,
                "history": state.history,
                "network": network.state_dict(),
                "averaged": averaged,
                "optimizer": optimizer.state_dict(),
            },
            stream,
        )
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read_checkpoint(
    path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, averaged: dict[str, torch.Tensor],
    recipe: Recipe,
) -> TrainingState:  # fmt: skip
    """Load a checkpoint into ``network``, ``optimizer`` and ``averaged`` and return the state it had.

    Raises:
        InputError: If the file belongs to another recipe or cannot be read.
    """
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            "The interrupted training cannot be resumed.",
            reason=f"Its checkpoint cannot be read ({type(error).__name__}).",
            remedy="Start the training again without resuming.",
            code="bad-checkpoint",
        ) from error
    if data["recipe"] != _fingerprint(recipe):
        raise InputError(
            "The interrupted training cannot be resumed with these settings.",
            reason="It was started with another recipe.",
            remedy="Resume it with the same recipe, or start a new training.",
            code="other-recipe",
        )
    network.load_state_dict(data["network"])
    optimizer.load_state_dict(data["optimizer"])
    for key, value in data["averaged"].items():
        averaged[key].copy_(value)
    return TrainingState(data["step"], data["best_score"], data["best_weights"], data["history"])
