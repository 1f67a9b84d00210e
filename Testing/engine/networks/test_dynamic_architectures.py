"""nnU-Net's own U-Nets behind the registry."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from convnextseg_engine.errors import InputError, ResourceError
from convnextseg_engine.networks.dynamic_architectures import other_names
from convnextseg_engine.networks.registry import build

SMALL: dict[str, Any] = {
    "name": "nnunet-unet", "architecture": "PlainConvUNet", "dim": 3, "features": [4, 8, 8],
    "kernels": [[1, 3, 3], [3, 3, 3], [3, 3, 3]], "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "blocks": [1, 2, 1], "decoder_blocks": [1, 1],
}  # fmt: skip
FLAT = SMALL | {"dim": 2, "kernels": [[3, 3]] * 3, "strides": [[1, 1], [2, 2], [2, 1]]}


@pytest.mark.parametrize("architecture", ["PlainConvUNet", "ResidualEncoderUNet"])
@pytest.mark.parametrize("shape", [SMALL, FLAT])
def test_logits_have_the_inputs_extent(architecture: str, shape: dict[str, Any]) -> None:
    network = build(shape | {"architecture": architecture}, 2, 3).eval()
    extents = (4, 8, 8)[-shape["dim"] :]
    assert network(torch.randn(1, 2, *extents)).shape == (1, 3, *extents)


def test_windows_must_be_divisible_along_each_axis() -> None:
    assert build(SMALL, 1, 1).divisor == (2, 4, 4)
    assert build(FLAT, 1, 1).divisor == (4, 2)


def test_every_tensor_is_kept_once_and_found_under_all_its_names() -> None:
    network = build(SMALL, 2, 3)
    state = network.state_dict()
    assert len(state) == len(list(network.parameters()))
    assert not any(key.startswith("decoder.encoder") for key in state)
    nnunets_own = state | {other: state[first] for other, first in other_names(network).items()}
    assert any(key.startswith("decoder.encoder") for key in nnunets_own)
    with torch.device("meta"):
        bare, full = build(SMALL, 2, 3), build(SMALL, 2, 3)
    bare.load_state_dict(state, assign=True)
    full.load_state_dict(nnunets_own, assign=True)
    windows = torch.randn(1, 2, 4, 8, 8)
    assert torch.equal(bare(windows), network(windows))
    assert torch.equal(full(windows), network(windows))


def test_a_missing_tensor_is_noticed() -> None:
    network = build(SMALL, 2, 3)
    state = network.state_dict()
    del state["encoder.stages.0.0.convs.0.conv.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_state_dict(state)


def test_deep_supervision_gives_coarser_logits_too() -> None:
    outputs = build(SMALL, 2, 3, deep_supervision=True)(torch.randn(1, 2, 4, 8, 8))
    assert [tuple(output.shape[2:]) for output in outputs] == [(4, 8, 8), (4, 4, 4)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "os.system"}, "must be one of PlainConvUNet"),
        ({"norm": "layer"}, "must be one of instance"),
        ({"activation": "eval"}, "must be one of leaky-relu"),
        ({"features": [4, 8]}, "for each of the 2 stages"),
        ({"features": [4, 8, 10**8]}, "1 to 4096"),
        ({"kernels": [[3, 3]] * 3}, "does not have 3 extents"),
        ({"kernels": [[2, 3, 3]] * 3}, "must be odd"),
        ({"strides": [[1, 1, 1], [1, 2, 2], [0, 2, 2]]}, "1 to 8"),
        ({"dim": 4}, "must be one of 2, 3"),
        ({"blocks": None}, "cannot be built"),
        ({"code": "import os"}, "cannot be built"),
    ],
)
def test_an_impossible_description_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(SMALL | change, 1, 1)


def test_without_the_package_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dynamic_network_architectures.architectures.unet", None)
    with pytest.raises(ResourceError, match="pip install dynamic-network-architectures"):
        build(SMALL, 1, 1)
