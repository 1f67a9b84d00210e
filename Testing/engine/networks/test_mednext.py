"""MedNeXt against outputs and parameter counts of the reference implementation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from convnextseg_engine.errors import InputError
from convnextseg_engine.networks.mednext import SIZES, MedNeXt
from convnextseg_engine.networks.registry import build

FIXTURES = {
    "S_k3_3d": {"size": "S", "width": 8},
    "S_k5_3d": {"size": "S", "kernel": 5, "width": 8},
    "B_k3_3d": {"size": "B", "width": 8},
    "B_k5_3d": {"size": "B", "kernel": 5, "width": 8},
    "M_k3_3d": {"size": "M", "width": 8},
    "M_k5_3d": {"size": "M", "kernel": 5, "width": 8},
    "L_k3_3d": {"size": "L", "width": 4},
    "L_k5_3d": {"size": "L", "kernel": 5, "width": 4},
    "S_k3_2d": {"size": "S", "width": 8, "dim": 2},
    "S_k3_3d_grn": {"size": "S", "width": 4, "grn": True},
    "S_k3_3d_layernorm": {"size": "S", "width": 4, "norm": "layer"},
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", FIXTURES)
def test_outputs_and_keys_equal_the_reference(shared: Path, name: str) -> None:
    tensors = {
        key: value.float() for key, value in load_file(shared / "golden" / "mednext" / f"{name}.safetensors").items()
    }
    state = {key.removeprefix("state/"): value for key, value in tensors.items() if key.startswith("state/")}
    network = MedNeXt(tensors["input"].shape[1], 3, deep_supervision=True, **FIXTURES[name]).eval()
    network.load_state_dict(state, strict=True)
    with torch.no_grad():
        outputs = network(tensors["input"])
    assert len(outputs) == 5
    for level, output in enumerate(outputs):
        torch.testing.assert_close(output, tensors[f"output/{level}"], atol=1e-4, rtol=1e-4)


@pytest.mark.real_data
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("deep_supervision", [False, True])
def test_parameter_counts_are_the_published_ones(shared: Path, size: str, kernel: int, deep_supervision: bool) -> None:
    counts = json.loads((shared / "golden" / "mednext" / "params.json").read_text())["counts"]
    with torch.device("meta"):
        network = MedNeXt(4, 4, size=size, kernel=kernel, deep_supervision=deep_supervision)
    total = sum(parameter.numel() for parameter in network.parameters())
    assert total == counts[f"{size}_k{kernel}_ds{int(deep_supervision)}"]["total_incl_dummy"]


def test_checkpointing_changes_no_gradient() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 32, 32, 32)
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(1)
        network = MedNeXt(2, 1, width=2, checkpointing=checkpointing).train()
        network(x).square().mean().backward()
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    assert len(gradients[0]) > 100
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_the_registry_refuses_what_it_cannot_build_in_words() -> None:
    with pytest.raises(InputError, match="not known"):
        build({"name": "resnet"}, 1, 1)
    with pytest.raises(InputError, match="not known"):
        build({"name": ["mednext"]}, 1, 1)
    for impossible in ({"kernel": 4}, {"kernel": "3"}, {"kernel": 10**9 + 1}, {"width": 10**9}, {"width": -4}):
        with pytest.raises(InputError, match="cannot be built"):
            build({"name": "mednext", **impossible}, 1, 1)
    with pytest.raises(InputError, match="cannot be built"):
        build({"name": "mednext", "colour": "red"}, 1, 1)
