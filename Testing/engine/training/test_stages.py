"""Freezing parts of a network and thawing them in the course of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.registry import build
from convnextseg_engine.networks.slicewise import SliceWise
from convnextseg_engine.training.loop import train
from convnextseg_engine.training.recipe import Recipe
from convnextseg_engine.training.stages import freeze, frozen_at, unfreeze

UNET = {"name": "convnext-unet", "width": 4, "depths": [1, 1, 1, 1], "kernel": 3, "dim": 2, "norm": "batch"}


class Slices:
    """Batches of two slices whose truth is where the input is bright."""

    def prefetched(self, first: int, last: int):
        for step in range(first, last + 1):
            image = torch.randn(2, 1, 1, 64, 64, generator=torch.Generator().manual_seed(step))
            yield step, (image, (image > 0.5).float())


def network() -> SliceWise:
    torch.manual_seed(0)
    return SliceWise(build(UNET, 1, 1), 0)


def changed(before: dict[str, torch.Tensor], net: nn.Module) -> set[str]:
    return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}


def test_a_frozen_part_keeps_weights_and_statistics_until_it_thaws(tmp_path: Path, recipe: Recipe) -> None:
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    plan = {"encoder": None, "encoder.stages.3": 3}
    quick = replace(recipe, steps=2, accumulate=1, freeze=plan, learning_rate=0.01)
    train(net, Slices(), quick, checkpoint=tmp_path / "a.pt", validate=lambda _: {"r": 0.5})
    assert not {name for name in changed(before, net) if name.startswith("encoder.")}
    assert any(name.startswith("decoder.") and "running" in name for name in changed(before, net))

    net = network()
    thawing = replace(quick, steps=5, freeze={"encoder.stem": None, "encoder.stages.3": 3})
    train(net, Slices(), thawing, checkpoint=tmp_path / "b.pt")
    moved = changed(before, net)
    assert not any(name.startswith("encoder.stem") for name in moved)
    assert any(name.startswith("encoder.stages.3") for name in moved)
    assert any(name.startswith("encoder.stages.0") for name in moved)


def test_freezing_and_thawing() -> None:
    net = network()
    freeze(net, ["encoder"])
    inner = net.network
    assert not any(p.requires_grad for p in inner.encoder.parameters())
    assert all(p.requires_grad for p in inner.decoder.parameters())
    assert not inner.encoder.stem[1].training
    unfreeze(net, ["encoder.stem"])
    assert all(p.requires_grad for p in inner.encoder.stem.parameters())
    assert inner.encoder.stem[1].training
    assert not any(p.requires_grad for p in inner.encoder.stages.parameters())
    unfreeze(net)
    assert all(p.requires_grad for p in net.parameters())


def test_the_plan_says_what_is_frozen_when() -> None:
    plan = {"stem": None, "bottleneck": 10}
    assert frozen_at(0, plan) == frozen_at(9, plan) == ("stem", "bottleneck")
    assert frozen_at(10, plan) == ("stem",)


@pytest.mark.parametrize("name", ["encodr", "", "encoder.stages.9"])
def test_an_unknown_part_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=r"no part.*encoder, detail, decoder, heads"):
        freeze(network(), [name])
