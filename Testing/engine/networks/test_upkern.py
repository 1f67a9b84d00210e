"""UpKern: kernels grown as the reference grows them, and refusals in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.mednext import MedNeXt
from convnextseg_engine.networks.registry import build
from convnextseg_engine.networks.upkern import grow_kernel, grown_network


@pytest.mark.real_data
@pytest.mark.parametrize(("dim", "expected"), [(3, "after"), (2, "bilinear_not_reference")])
def test_kernels_equal_the_reference(shared: Path, dim: int, expected: str) -> None:
    tensors = load_file(shared / "golden" / "upkern" / f"upkern_S_k3_to_k5_{dim}d.safetensors")
    part = {
        name: {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}
        for name in ("source", "before", expected)
    }
    inputs, outputs = part["source"]["stem.weight"].shape[1], part["source"]["out_0.conv_out.weight"].shape[1]
    deep = "out_4.conv_out.weight" in part["source"]
    target = MedNeXt(inputs, outputs, kernel=5, width=4, dim=dim, deep_supervision=deep)
    target.load_state_dict(part["before"])
    grown = grow_kernel(part["source"], target)
    target.load_state_dict(grown)  # every name, every shape
    compared = 0
    for name, value in part[expected].items():
        torch.testing.assert_close(grown[name], value, atol=1e-6, rtol=0)
        compared += 1
    assert compared >= 26  # at least the kernels; see golden/README.md
    assert all(torch.equal(target.state_dict()[name], grown[name]) for name in grown)


@pytest.mark.parametrize(
    "network",
    [{"name": "mednext", "size": "S", "width": 2}, {"name": "convnext-unet", "width": 4, "depths": [1, 1, 1, 1]},
     {"name": "convunext", "width": 4}],
)  # fmt: skip
@pytest.mark.parametrize("dim", [2, 3])
def test_every_depthwise_family_grows(network: dict, dim: int) -> None:
    small, large = network | {"dim": dim, "kernel": 3}, grown_network(network | {"dim": dim, "kernel": 3}, 5)
    torch.manual_seed(0)
    source, target = build(small, 1, 1), build(large, 1, 1)
    grown = grow_kernel(source.state_dict(), target)
    target.load_state_dict(grown)
    changed = [name for name, value in source.state_dict().items() if value.shape != grown[name].shape]
    assert changed
    assert all(grown[name].shape[2:] == (5,) * dim for name in changed)
    copied = [name for name in grown if name not in changed]
    assert all(torch.equal(grown[name], source.state_dict()[name]) for name in copied)


def test_a_constant_kernel_keeps_its_magnitude() -> None:
    small, large = MedNeXt(1, 1, width=2), MedNeXt(1, 1, width=2, kernel=7)
    torch.nn.init.constant_(small.enc_block_0[0].conv1.weight, 0.5)
    assert torch.all(grow_kernel(small.state_dict(), large)["enc_block_0.0.conv1.weight"] == 0.5)


def test_another_network_or_a_smaller_kernel_is_refused() -> None:
    three, five = MedNeXt(1, 1, width=2), MedNeXt(1, 1, width=2, kernel=5)
    with pytest.raises(InputError, match=r"conv1\.weight has shape"):
        grow_kernel(five.state_dict(), three)
    with pytest.raises(InputError, match=r"stem\.weight has shape"):
        grow_kernel(three.state_dict(), MedNeXt(1, 1, width=4, kernel=5))
    with pytest.raises(InputError, match="exists only in the network with the larger kernel"):
        grow_kernel(three.state_dict(), MedNeXt(1, 1, width=2, kernel=5, deep_supervision=True))


@pytest.mark.parametrize(
    ("network", "kernel", "words"),
    [({"name": "segresnet"}, 5, "Only depthwise"), ({"name": "mednext", "kernel": 5}, 3, "from 5 to 3"),
     ({"name": "mednext", "kernel": 3}, 4, "odd"), ({"name": "mednext", "kernel": 5}, 5, "from 5 to 5")],
)  # fmt: skip
def test_what_cannot_grow_is_refused_in_words(network: dict, kernel: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        grown_network(network, kernel)
