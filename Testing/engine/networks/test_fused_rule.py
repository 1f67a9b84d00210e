"""Which blocks take the fused path; everything else goes through plain autograd and works there."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

from convnextseg_engine.inference.torch_backend import TorchBackend
from convnextseg_engine.networks.mednext import Block, MedNeXt, set_fused


@pytest.fixture
def block() -> Block:
    torch.manual_seed(0)
    return Block(2, 2, 2, 3, 3)


@pytest.fixture
def fused_calls(monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    """Return a list that grows by each block that takes the fused path."""
    from convnextseg_engine.networks import mednext

    calls, original = [], mednext.fused_block

    def spy(block: Block, *arguments):
        calls.append(block)
        return original(block, *arguments)

    monkeypatch.setattr(mednext, "fused_block", spy)
    return calls


X = torch.randn(1, 2, 4, 4, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [2, 3])
def test_it_applies_to_group_norm_in_any_dimension(dim: int, dtype: torch.dtype, fused_calls: list) -> None:
    block = Block(2, 2, 2, 7, dim).to(dtype)
    block(X[(slice(None), slice(None), *[slice(None)] * dim, *[0] * (3 - dim))].to(dtype))
    assert fused_calls == [block]


@pytest.mark.parametrize("options", [{"grn": True}, {"norm": "layer"}])
def test_other_blocks_are_plain(options: dict, fused_calls: list) -> None:
    Block(2, 2, 2, 3, 3, **options)(X)
    assert not fused_calls


def test_fewer_groups_than_channels_are_plain(block: Block, fused_calls: list) -> None:
    block.norm = nn.GroupNorm(1, 2)
    block(X)
    assert not fused_calls


def test_half_precision_is_plain(block: Block, fused_calls: list) -> None:
    with torch.autocast("cpu"):
        block(X)
    block.bfloat16()(X.bfloat16())
    assert not fused_calls


def test_other_devices_are_plain(block: Block, fused_calls: list) -> None:
    assert block.to("meta")(X.to("meta")).shape == X.shape
    assert not fused_calls


def test_mixed_precision_ends_as_stock_does(block: Block, fused_calls: list) -> None:
    with pytest.raises(RuntimeError):
        block(X.double())
    assert not fused_calls


def test_one_voxel_ends_as_stock_does(block: Block, fused_calls: list) -> None:
    with pytest.raises(ValueError, match="more than 1"):
        block(X[:, :, :1, :1, :1])
    assert not fused_calls


def test_function_transforms_are_plain(block: Block, fused_calls: list) -> None:
    plain = torch.autograd.functional.jacobian(lambda x: block(x).sum((0, 2, 3, 4)), X)
    taken = len(fused_calls)
    torch.testing.assert_close(torch.func.jacrev(lambda x: block(x).sum((0, 2, 3, 4)))(X), plain, atol=1e-4, rtol=1e-3)
    torch.func.vmap(block)(X[None])
    assert len(fused_calls) == taken


def test_forward_differentiation_is_plain(block: Block, fused_calls: list) -> None:
    with forward_ad.dual_level():
        assert forward_ad.unpack_dual(block(forward_ad.make_dual(X, torch.ones_like(X)))).tangent is not None
    assert not fused_calls


def test_a_traced_network_holds_plain_operations(fused_calls: list) -> None:
    network = MedNeXt(1, 2, width=2).eval()
    x = torch.randn(1, 1, 16, 16, 32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated in newer versions of PyTorch
        traced = torch.jit.trace(network, x, check_trace=False)
    assert not fused_calls
    assert "PythonOp" not in str(traced.inlined_graph)
    torch.testing.assert_close(traced(x), network(x), atol=1e-4, rtol=1e-3)
    assert fused_calls


def test_an_exported_network_holds_plain_operations(block: Block, fused_calls: list) -> None:
    exported = torch.export.export(block, (X,))
    assert not fused_calls
    torch.testing.assert_close(exported.module()(X), block(X), atol=1e-5, rtol=1e-4)


def test_weights_are_the_same_either_way(fused_calls: list) -> None:
    network = MedNeXt(1, 2, width=2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = torch.randn(1, 1, 16, 16, 32)
    fused = network(x)
    taken = len(fused_calls)
    assert taken == 26
    set_fused(network, False)
    torch.testing.assert_close(network(x), fused, atol=1e-4, rtol=1e-3)
    assert len(fused_calls) == taken
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], value) for key, value in before.items())


def test_inference_on_the_cpu_takes_it(fused_calls: list) -> None:
    network = MedNeXt(1, 2, width=2)
    windows = torch.randn(2, 1, 16, 16, 32)
    with torch.inference_mode():
        set_fused(network, False)
        expected = network(windows)
        set_fused(network, True)
    found = TorchBackend(network, "cpu").logits(windows, lambda: None)
    assert len(fused_calls) == 26
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
