"""Every network of the registry: its description, its limits, its shapes, and that all of it can be trained."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from convnextseg_engine.errors import InputError
from convnextseg_engine.inference.openvino_backend import OpenVinoBackend
from convnextseg_engine.networks.extents import check_patch, per_axis
from convnextseg_engine.networks.memory import memory_of
from convnextseg_engine.networks.registry import NETWORKS, build, named, names, supports
from convnextseg_engine.networks.slicewise import SliceWise, slicing_axis

EXPECTED = {
    *(f"mednext-{size}-k{kernel}{dim}" for size in "sbml" for kernel in (3, 5) for dim in ("", "-2d")),
    "convunext", "convunext-3d", *(f"convnext-unet-{size}{dim}" for size in "tsb" for dim in ("", "-2d")),
    *(f"unet3d-{norm}" for norm in ("none", "layer", "instance", "batch", "group")),
    *(f"{name}{dim}" for name in ("unet", "attention-unet", "unet++", "resunet", "segresnet") for dim in ("", "-2d")),
}  # fmt: skip


def tiny(name: str, outputs: int = 3, **overrides) -> nn.Module:
    """The network as narrow as it can be: ConvNeXt's width is a multiple of 4, group norm's of 8."""
    network = dict(named(name).network)
    grouped = network["name"] == "segresnet" or network.get("norm") == "group"
    width = 8 if grouped else 4 if network["name"] == "convnext-unet" else 2
    kernel = {"kernel": 3} if network["name"] == "convunext" else {}  # the published 7 needs 64 voxels
    return build(network | kernel | {"width": width}, 2, outputs, **overrides)


def example(network: nn.Module, dim: int, batch: int = 1) -> torch.Tensor:
    """The smallest input that there is, two voxels on the coarsest level where a norm needs them."""
    extents = [network.smallest] * dim
    extents[0] *= 2 if getattr(network, "norm_over_space", False) else 1
    return torch.randn(batch, 2, *extents, generator=torch.Generator().manual_seed(0))


def test_all_the_networks_of_the_plan_are_listed_once() -> None:
    assert set(names()) >= EXPECTED
    assert len(set(names())) == len(names())


@pytest.mark.parametrize("name", names())
def test_a_name_stands_for_a_network_that_is_built_as_described(name: str) -> None:
    info = named(name)
    assert info.name == name
    assert named(f" {name.upper()} ") == info
    with torch.device("meta"):
        network = build(info.network, 4, 4)
    assert (info.divisor, info.smallest) == (network.divisor, network.smallest)
    volumes = network if info.dim == 3 else SliceWise(network, slicing_axis(info.patch))
    check_patch(volumes, info.patch)
    assert info.paper
    assert info.licence
    assert info.memory == memory_of(info.network)
    assert info.memory.peak(info.patch) > 0


@pytest.mark.parametrize("name", names())
def test_outputs_have_the_extents_of_the_input(name: str) -> None:
    network = tiny(name).eval()
    x = example(network, named(name).dim)
    with torch.no_grad():
        logits = network(x)
    assert logits.shape == (1, 3, *x.shape[2:])


@pytest.mark.parametrize("name", names())
def test_a_training_step_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    network = tiny(name, deep_supervision=True).train()
    x = example(network, named(name).dim)
    logits = network(x)
    levels = logits if isinstance(logits, list) else [logits]
    assert isinstance(logits, list) == supports(named(name).network, "deep_supervision")
    assert levels[0].shape == (1, 3, *x.shape[2:])
    sum(level.square().mean() for level in levels).backward()
    for parameter_name, parameter in network.named_parameters():
        if parameter_name == "dummy_tensor":  # of MedNeXt, in published files, but nothing uses it
            continue
        assert parameter.grad is not None, parameter_name
        assert torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize("name", [name for name in names() if supports(named(name).network, "deep_supervision")])
def test_deep_supervision_adds_heads_and_changes_nothing_else(name: str) -> None:
    supervised, plain = tiny(name, deep_supervision=True).eval(), tiny(name).eval()
    state = supervised.state_dict()
    plain.load_state_dict({key: state[key] for key in plain.state_dict()})
    x = example(plain, named(name).dim)
    with torch.no_grad():
        torch.testing.assert_close(supervised(x)[0], plain(x))


# One of each architecture and norm, since what converts does not depend on size and kernel.
LARGER = ("mednext-b", "mednext-m", "mednext-l", "mednext-s-k5", "convnext-unet-s", "convnext-unet-b")
CONVERTED = [name for name in names() if not name.startswith(LARGER)]


@pytest.mark.parametrize("name", CONVERTED)
def test_openvino_gives_the_same_logits(name: str) -> None:
    torch.manual_seed(0)
    network = tiny(name).eval()
    if named(name).dim == 2:
        network = SliceWise(network, slicing_axis(named(name).patch))
    least = zip(per_axis(network.smallest), per_axis(network.divisor), strict=True)
    patch = tuple(max(low, 2 * step) if low > 1 else 1 for low, step in least)
    windows = torch.randn(1, 2, *patch)
    with torch.no_grad():
        expected = network(windows)
    logits = OpenVinoBackend(network, 2, patch, name, None).logits(windows, lambda: None)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-3)


def test_a_wish_that_a_family_does_not_know_is_left_out_and_nothing_else() -> None:
    network = named("convunext").network
    assert not supports(network, "deep_supervision")
    build(network | {"width": 2}, 1, 1, deep_supervision=True, checkpointing=True)
    with pytest.raises(InputError, match="cannot be built"):
        build(network | {"width": 2, "deep_supervision": True}, 1, 1)
    with pytest.raises(InputError, match="cannot be built"):
        build(network | {"width": 2}, 1, 1, colour="red")


@pytest.mark.parametrize(
    ("name", "canonical", "part"),
    [
        ("mednext-b-k7", "mednext-b-k7", {"size": "B", "kernel": 7, "width": 32, "dim": 3}),
        ("mednext-s-k3-w16-2d", "mednext-s-k3-w16-2d", {"kernel": 3, "width": 16, "dim": 2}),
        ("mednext-s-k5-w32-3d", "mednext-s-k5", {"kernel": 5, "width": 32, "dim": 3}),
        ("convunext-k7-2d", "convunext", {"kernel": 7, "dim": 2}),
        ("convunext-k3", "convunext-k3", {"kernel": 3, "dim": 2}),
        ("unet3d-layer-w8", "unet3d-layer-w8", {"norm": "layer", "width": 8}),
    ],
)  # fmt: skip
def test_kernel_width_and_dimension_can_be_chosen_by_name(name: str, canonical: str, part: dict) -> None:
    info = named(name)
    assert info.name == canonical
    assert info.network == info.network | part
    assert named(info.name) == info


def test_unknown_names_are_answered_with_names_that_look_alike() -> None:
    with pytest.raises(InputError, match=r"no network “mednext-b-3”.*mednext-b-k3"):
        named("mednext-b-3")
    with pytest.raises(InputError, match=r"look alike: .*unet3d-batch"):
        named("unet3d-bach")
    for name in ("mednext-b", "unet3d-layer-2d", "", "-k3", "k3", "x" * 100_000, "unet\n"[:-1] + " -2d"):
        with pytest.raises(InputError, match="no network"):
            named(name)


@pytest.mark.parametrize("name", ["mednext-s-k4", "mednext-s-k101", "mednext-s-k0", "mednext-s-k3-w0", "unet-w99999"])
def test_impossible_kernels_and_widths_in_a_name_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"a kernel is odd|must be a whole number from 1"):
        named(name)


def test_a_kernel_where_there_is_none_to_choose_is_refused() -> None:
    with pytest.raises(InputError, match="“unet” has no kernel to choose"):
        named("unet-k5")


DAMAGE = ({"width": 10**9}, {"width": -4}, {"width": 0}, {"width": 2.0}, {"width": "8"}, {"width": [8]},
          {"dim": 4}, {"dim": "3"}, {"dim": [3]}, {"kernel": 10**9 + 1}, {"kernel": 2}, {"kernel": "3"}, {"norm": "x"},
          {"norm": ["layer"]}, {"colour": "red"}, {"self": 1}, {"inputs": 7})  # fmt: skip


@pytest.mark.parametrize("family", NETWORKS)
@pytest.mark.parametrize("damage", DAMAGE, ids=str)
def test_damaged_descriptions_are_refused_in_words(family: str, damage: dict) -> None:
    with pytest.raises(InputError, match="cannot be built"), torch.device("meta"):
        build({"name": family} | damage, 1, 1)


@pytest.mark.parametrize("channels", [0, -1, 10**9, 2.0, "4", None, True])
def test_impossible_numbers_of_channels_are_refused(channels) -> None:
    with pytest.raises(InputError, match="cannot be built"):
        build({"name": "unet"}, channels, 1)
    with pytest.raises(InputError, match="cannot be built"):
        build({"name": "unet"}, 1, channels)


@pytest.mark.parametrize(
    ("name", "patch", "words"),
    [
        ("mednext-s-k3", (96, 40, 96), "divisible by 16 .*Choose 96 × 32 × 96"),
        ("mednext-s-k3", (96, 0, 96), "Choose 96 × 16 × 96"),
        ("segresnet", (7, 8, 8), "at least 8. Choose 8"),
        ("unet3d-batch", (8, 8, 8), "more than that along one axis. Choose 16"),
        ("mednext-s-k3-2d", (1, 16, 16), "more than that along one axis. Choose 1 × 32 × 32"),
        ("convunext-3d", (63, 96, 97), "at least 64.*Choose 64 × 96 × 97"),
        ("convunext", (1, 60, 96), "at least 1 × 64 × 64.*Choose 1 × 64 × 96"),
        ("unet-2d", (1, 100, 96), "divisible by 1 × 16 × 16.*Choose 1 × 96 × 96"),
    ],
)
def test_windows_that_do_not_fit_are_refused_with_some_that_do(name: str, patch: tuple, words: str) -> None:
    info = named(name)
    with torch.device("meta"):
        network = build(info.network, 1, 1)
    with pytest.raises(InputError, match=words):
        check_patch(network if info.dim == 3 else SliceWise(network, 0), patch)
