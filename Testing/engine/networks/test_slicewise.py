"""A 2D network on volumes does on every slice what it does on the slice alone."""

from __future__ import annotations

import pytest
import torch

from convnextseg_engine.networks.registry import build
from convnextseg_engine.networks.slicewise import SliceWise, slicing_axis

FAMILIES = {
    "convunext": {"name": "convunext", "width": 2, "kernel": 3, "dim": 2},
    "mednext": {"name": "mednext", "width": 2, "dim": 2},
    "unet": {"name": "unet", "width": 2, "dim": 2},
}
EXTENTS = {0: (19, 32, 48), 1: (32, 19, 48), 2: (32, 48, 19)}


@pytest.mark.parametrize("axis", EXTENTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_slice_is_as_if_alone(family: str, axis: int) -> None:
    torch.manual_seed(axis)
    flat = build(FAMILIES[family], 2, 3).eval()
    volume = torch.randn(2, 2, *EXTENTS[axis])
    with torch.no_grad():
        logits = SliceWise(flat, axis)(volume)
        assert logits.shape == (2, 3, *EXTENTS[axis])
        for sample in range(2):
            for position in range(19):
                alone = flat(volume[sample : sample + 1].select(axis + 2, position))
                torch.testing.assert_close(
                    logits[sample : sample + 1].select(axis + 2, position), alone, atol=1e-5, rtol=1e-5
                )


def test_a_single_slice_is_a_volume_too() -> None:
    network = SliceWise(build(FAMILIES["mednext"], 1, 2).eval(), 1)
    assert network(torch.zeros(3, 1, 32, 1, 16)).shape == (3, 2, 32, 1, 16)


def test_in_training_all_slices_are_one_batch() -> None:
    flat = build(FAMILIES["convunext"], 1, 1).train()
    volume = torch.randn(1, 1, 20, 32, 32)
    with torch.no_grad():
        expected = flat(volume[0].movedim(1, 0))  # slices first
        logits = SliceWise(flat, 0)(volume)
    torch.testing.assert_close(logits[0].movedim(0, 1), expected, atol=1e-4, rtol=1e-4)


def test_deep_supervision_is_coarser_within_the_slices_only() -> None:
    network = SliceWise(build(FAMILIES["mednext"], 1, 2, deep_supervision=True), 2)
    levels = network(torch.randn(1, 1, 32, 48, 3))
    assert [tuple(level.shape) for level in levels] == [(1, 2, 32 // n, 48 // n, 3) for n in (1, 2, 4, 8, 16)]
    sum(level.square().mean() for level in levels).backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "dummy" not in name)


def test_weights_keep_the_names_of_the_2d_network() -> None:
    flat, other = (build(FAMILIES["convunext"], 1, 1) for _ in range(2))
    wrapped = SliceWise(flat)
    assert wrapped.state_dict().keys() == flat.state_dict().keys()
    wrapped.load_state_dict(other.state_dict())
    for key, value in flat.state_dict().items():
        torch.testing.assert_close(value, other.state_dict()[key])


def test_channels_last_of_volumes_means_channels_last_of_slices() -> None:
    wrapped = SliceWise(build(FAMILIES["unet"], 2, 1).eval())
    x = torch.randn(1, 2, 4, 32, 32)
    with torch.no_grad():
        before = wrapped(x)
        after = wrapped.to(memory_format=torch.channels_last_3d)(x.contiguous(memory_format=torch.channels_last_3d))
    kernels = [p for p in wrapped.parameters() if p.dim() == 4 and p.shape[1] > 1 and p.shape[2] > 1]
    assert kernels
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def test_the_axis_comes_from_the_window() -> None:
    assert [slicing_axis(patch) for patch in ((1, 64, 64), (64, 1, 64), (64, 64, 1), (1, 64, 1))] == [0, 1, 2, 0]
    with pytest.raises(ValueError, match="one voxel thick"):
        slicing_axis((2, 64, 64))
    with pytest.raises(ValueError, match="axis 0, 1 or 2"):
        SliceWise(torch.nn.Identity(), 3)
