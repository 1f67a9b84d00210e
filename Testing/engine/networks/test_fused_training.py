"""A training run ends where the plain path's does."""

from __future__ import annotations

import pytest
import torch

from convnextseg_engine.networks.mednext import MedNeXt, set_fused
from convnextseg_engine.training.losses import region_loss

_STEPS, _SEEDS = 200, (0, 1, 2)


def final_loss(seed: int, fused: bool) -> float:
    """Return the mean loss of the last 20 of 200 steps: bright blobs are found in noise, of two sizes."""
    torch.manual_seed(seed)
    network = MedNeXt(1, 2, width=4).train()
    set_fused(network, fused)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, fused=True)
    axes = torch.stack(torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij"))
    losses = []
    for _ in range(_STEPS):
        centre = torch.randint(4, 12, (3, 1, 1, 1))
        distance = (axes - centre).norm(dim=0)
        regions = torch.stack([distance < 5, distance < 3]).float()[None]
        image = regions.sum(1, keepdim=True) + torch.randn(1, 1, 16, 16, 16)
        loss = region_loss(network(image), regions)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[0] > 1.2 * sum(losses[-20:]) / 20  # it learned
    return sum(losses[-20:]) / 20


@pytest.mark.slow
def test_two_hundred_steps_end_at_the_same_loss() -> None:
    plain = [final_loss(seed, fused=False) for seed in _SEEDS]
    fused = [final_loss(seed, fused=True) for seed in _SEEDS]
    spread = max(plain) - min(plain)
    for ours, theirs in zip(fused, plain, strict=True):
        assert abs(ours - theirs) <= spread, (fused, plain)
    assert abs(sum(fused) - sum(plain)) / len(plain) <= spread / 2, (fused, plain)
