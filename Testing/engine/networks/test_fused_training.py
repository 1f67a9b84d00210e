"""Trained by the fused path or by plain autograd, a network ends in the same place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convnextseg_engine.networks.mednext import MedNeXt, set_fused

_STEPS, _SEEDS, _LAST = 200, (0, 1, 2), 20
_SHAPE = (16, 16, 32)


def _batch(random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A bright ball somewhere in noise, and where it is."""
    axes = np.meshgrid(*(np.arange(n) for n in _SHAPE), indexing="ij")
    middle, radius = [random.uniform(5, n - 5) for n in _SHAPE], random.uniform(3, 5)
    ball = sum((axis - m) ** 2 for axis, m in zip(axes, middle, strict=True)) < radius**2
    image = random.normal(0, 1, ball.shape) + 1.5 * ball
    return torch.tensor(image, dtype=torch.float32)[None, None], torch.tensor(ball, dtype=torch.float32)[None, None]


def _final_loss(seed: int, *, fused: bool) -> float:
    torch.manual_seed(seed)
    network = MedNeXt(1, 1, size="S", kernel=3, width=4)
    set_fused(network, fused)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    random = np.random.default_rng(seed)
    losses = []
    for _ in range(_STEPS):
        image, truth = _batch(random)
        loss = F.binary_cross_entropy_with_logits(network(image), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-_LAST:]) < np.mean(losses[:_LAST]) / 2, "it has to learn for the end to say something"
    return float(np.mean(losses[-_LAST:]))


@pytest.mark.slow
def test_200_steps_end_at_the_same_loss_within_the_spread_of_three_seeds() -> None:
    plain = [_final_loss(seed, fused=False) for seed in _SEEDS]
    fused = [_final_loss(seed, fused=True) for seed in _SEEDS]
    spread = max(plain) - min(plain)
    assert abs(np.mean(fused) - np.mean(plain)) <= spread, (plain, fused)
    assert min(plain) - spread <= min(fused) and max(fused) <= max(plain) + spread, (plain, fused)
