"""What OpenVINO is given computes the same as the network, and its result is as exact as PyTorch's."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from convnextseg_engine.inference.openvino_backend import OpenVinoBackend
from convnextseg_engine.inference.openvino_graph import ChannelNorm, DepthwiseDoubling, for_openvino
from convnextseg_engine.networks.registry import build


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("dim", [2, 3])
def test_doubling_the_resolution_is_the_transposed_convolution(kernel: int, dim: int) -> None:
    torch.manual_seed(0)
    kind = nn.ConvTranspose2d if dim == 2 else nn.ConvTranspose3d
    transposed = kind(6, 6, kernel, stride=2, padding=kernel // 2, groups=6).double()
    x = torch.randn(2, 6, *(5, 7, 4)[:dim], dtype=torch.float64)
    torch.testing.assert_close(DepthwiseDoubling(transposed)(x), transposed(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 5, 8, 6, 9), (1, 5, 16, 12), (1, 5, 1, 3, 3)])
def test_the_norm_is_the_group_norm(shape: tuple) -> None:
    norm = nn.GroupNorm(5, 5).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(shape, dtype=torch.float64) * 3 + 7
    torch.testing.assert_close(ChannelNorm(norm)(x), norm(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "layer",
    [nn.ConvTranspose3d(4, 4, 2, stride=2, groups=4), nn.ConvTranspose3d(4, 4, 3, stride=2, padding=1),
     nn.ConvTranspose3d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=4), nn.GroupNorm(2, 4)],
)  # fmt: skip
def test_layers_that_are_something_else_stay(layer: nn.Module) -> None:
    found = for_openvino(nn.Sequential(layer))[0]
    assert type(found) is type(layer)


@pytest.mark.parametrize(
    "network",
    [
        {"name": "mednext", "size": "S", "kernel": 3, "width": 4},
        {"name": "mednext", "size": "S", "kernel": 5, "width": 4},
    ],
)
def test_a_whole_network_stays_what_it_is_and_keeps_its_weights(network: dict) -> None:
    torch.manual_seed(1)
    original = build(network, 2, 3).eval()
    names = list(original.state_dict())
    twin = for_openvino(original)
    x = torch.randn(1, 2, 32, 32, 32)
    with torch.inference_mode():
        expected = original(x)
        torch.testing.assert_close(twin(x), expected, rtol=1e-4, atol=1e-4)
    assert list(original.state_dict()) == names
    assert sum(isinstance(module, DepthwiseDoubling) for module in twin.modules()) == 4
    assert not any(isinstance(module, nn.GroupNorm) for module in twin.modules())
    shared = {parameter.data_ptr() for parameter in original.parameters()}
    own = [parameter for parameter in twin.parameters() if parameter.data_ptr() not in shared]
    assert len(own) == 4  # the flipped kernels only


def test_windows_that_are_nearly_empty_come_out_exact() -> None:
    torch.manual_seed(2)
    network = build({"name": "mednext", "size": "S", "kernel": 3, "width": 8}, 2, 3).eval()
    backend = OpenVinoBackend(network, 2, (32, 32, 32), "empty", None)
    windows = torch.zeros(1, 2, 32, 32, 32)
    windows[..., :3, :3, :3] = torch.randn(3, 3, 3)
    with torch.inference_mode():
        exact = copy.deepcopy(network).double()(windows.double())
    found = backend.logits(windows, lambda: None)
    assert (found - exact).abs().max() < 1e-4 * exact.abs().max()
