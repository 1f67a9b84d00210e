"""The baselines have their published sizes, and ConvUNeXt is as much smaller as it was published to be."""

from __future__ import annotations

import pytest
import torch

from convnextseg_engine.networks.cost import multiply_adds, parameters
from convnextseg_engine.networks.registry import build, named
from convnextseg_engine.networks.resunet import Unit
from convnextseg_engine.networks.unet3d import NORMS, UNet3D


@pytest.mark.parametrize(("baseline", "percent"), [("unet-2d", 80), ("resunet-2d", 46)])
def test_convunext_has_the_published_share_of_its_baselines_parameters(baseline: str, percent: int) -> None:
    ours, theirs = (parameters(named(name).network, 3, 2) for name in ("convunext", baseline))
    assert 100 * ours / theirs == pytest.approx(percent, abs=2)


def test_resunet_has_the_7_8_million_parameters_of_its_paper() -> None:
    assert round(parameters(named("resunet-2d").network, 3, 1) / 1e6, 1) == 7.8


def test_3d_unet_has_the_19069955_parameters_of_its_paper() -> None:
    assert parameters(named("unet3d-none").network, 3, 3) == 19_069_955


@pytest.mark.parametrize(
    ("name", "giga"), [("mednext-s-k3", 130), ("mednext-b-k3", 170), ("mednext-m-k3", 248), ("mednext-l-k3", 500)]
)
def test_multiplications_are_those_of_the_mednext_paper(name: str, giga: float) -> None:
    """Table 2 there, for one window of 128³; how the authors counted norms and activations is not said."""
    assert multiply_adds(named(name).network, 1, 3, (128, 128, 128)) / 1e9 == pytest.approx(giga, rel=0.04)


def test_multiplications_of_a_single_convolution_are_counted_right() -> None:
    head_only = named("unet3d-none").network | {"width": 1}
    voxels = 16**3
    narrow, wide = (multiply_adds(head_only, 1, outputs, (16, 16, 16)) for outputs in (1, 5))
    assert wide - narrow == 4 * 2 * voxels  # the head has 2 channels in, and a multiplication for each output voxel


@pytest.mark.parametrize("norm", NORMS)
def test_the_norm_does_what_its_name_says(norm: str) -> None:
    """Over which axes is a layer's mean taken away? A shift that is constant over them must not be seen."""
    torch.manual_seed(0)
    layer = NORMS[norm](8).train()
    x = torch.randn(2, 8, 4, 4, 4)
    shifts = {
        "one number for all": torch.full((1, 1, 1, 1, 1), 3.0),
        "one number a sample": torch.randn(2, 1, 1, 1, 1),
        "one number a channel": torch.randn(1, 8, 1, 1, 1),
        "one number a sample and channel": torch.randn(2, 8, 1, 1, 1),
        "one number a voxel": torch.randn(2, 1, 4, 4, 4),
    }
    unseen = {what for what, shift in shifts.items() if torch.allclose(layer(x + shift), layer(x), atol=1e-4)}
    alike, sample, channel, both = list(shifts)[:4]
    assert (
        unseen
        == {
            "none": set(),
            "layer": {alike, sample},
            "instance": {alike, sample, channel, both},
            "batch": {alike, channel},
            "group": {alike, sample, channel, both},  # eight groups of eight channels; see the next test
        }[norm]
    )


def test_group_norm_has_eight_groups() -> None:
    layer = NORMS["group"](16)
    x = torch.randn(1, 16, 3, 3, 3)
    pairs = torch.randn(1, 8, 1, 1, 1).repeat_interleave(2, dim=1)
    torch.testing.assert_close(layer(x + pairs), layer(x), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(layer(x + torch.randn(1, 16, 1, 1, 1)), layer(x), atol=1e-2)


def test_only_batch_norm_lets_samples_of_a_batch_see_each_other() -> None:
    x = torch.randn(2, 1, 16, 16, 16)
    for norm in NORMS:
        torch.manual_seed(0)
        network = UNet3D(1, 1, norm=norm, width=8).train()
        with torch.no_grad():
            together, alone = network(x)[:1], network(x[:1])
        assert torch.allclose(together, alone, atol=1e-4) == (norm != "batch"), norm


def test_group_norm_that_does_not_divide_the_width_is_refused() -> None:
    with pytest.raises(Exception, match="divisible by 8, which 12 is not"):
        build({"name": "unet3d", "norm": "group", "width": 12}, 1, 1)


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(2, 4, 2), (6, 4, 1), (4, 4, 1)])
def test_a_residual_unit_whose_branch_is_silent_keeps_its_input(inputs: int, outputs: int, stride: int) -> None:
    unit = Unit(inputs, outputs, stride, dim=2).eval()
    for parameter in unit.parameters():
        parameter.data.zero_()
    x = torch.randn(1, inputs, 8, 8)
    kept = unit(x)
    shared = min(inputs, outputs)
    torch.testing.assert_close(kept[:, :shared], x[:, :shared, ::stride, ::stride])
    assert kept.shape == (1, outputs, 8 // stride, 8 // stride)
    assert not kept[:, shared:].any()
