"""ConvUNeXt against outputs, gradients and running statistics of the reference implementation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from convnextseg_engine.networks.convunext import ConvUNeXt

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}


@pytest.fixture(scope="module")
def fixture(shared: Path) -> dict[str, torch.Tensor]:
    return load_file(shared / "golden" / "convunext" / "convunext_base8.safetensors")


@pytest.fixture()
def network(fixture: dict[str, torch.Tensor]) -> ConvUNeXt:
    network = ConvUNeXt(3, 2, width=8)
    state = network.state_dict()
    given = {key.removeprefix("state/"): value for key, value in fixture.items() if key.startswith("state/")}
    assert given.keys() == state.keys()
    network.load_state_dict(given)
    return network


@pytest.mark.real_data
@pytest.mark.parametrize("which", ["", "_odd"])
def test_outputs_equal_the_reference(network: ConvUNeXt, fixture: dict[str, torch.Tensor], which: str) -> None:
    with torch.no_grad():
        logits = network.eval()(fixture[f"input{which}"])
    torch.testing.assert_close(logits, fixture[f"output{which}"], **TOLERANCE)


def reference_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus one minus the mean soft Dice of a sample's classes; pixels of 255 count in neither."""
    entropy = F.cross_entropy(logits, target, weight=torch.ones(2), ignore_index=255)
    counts = (target != 255).float()
    probabilities = logits.softmax(1)
    scores = []
    for sample in range(len(target)):
        for label in range(logits.shape[1]):
            p = probabilities[sample, label] * counts[sample]
            t = (target[sample] == label).float()
            scores.append((2 * (p * t).sum() + 1e-6) / (p.sum() + t.sum() + 1e-6))
    return entropy + 1 - torch.stack(scores).mean()


@pytest.mark.real_data
def test_a_training_step_equals_the_reference(
    network: ConvUNeXt, fixture: dict[str, torch.Tensor], shared: Path
) -> None:
    expected = json.loads((shared / "golden" / "convunext" / "grad_norms.json").read_text())
    logits = network.train()(fixture["train_input"])
    torch.testing.assert_close(logits.detach(), fixture["train_logits"], **TOLERANCE)
    loss = reference_loss(logits, fixture["train_target"].long())
    assert float(loss.detach()) == pytest.approx(expected["loss"], rel=1e-5)
    loss.backward()

    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert gradients.keys() == expected["params"].keys()
    for name, gradient in gradients.items():
        # A bias that a batch norm takes away again has a gradient of rounding noise only: hence the absolute part.
        norm = expected["params"][name]["l2"]
        assert float(gradient.norm()) == pytest.approx(norm, rel=1e-3, abs=1e-5), name
        assert float(gradient.sum()) == pytest.approx(expected["params"][name]["sum"], rel=1e-3, abs=1e-3 * norm + 1e-5)

    statistics = {key.removeprefix("bn_after_train_step/"): value for key, value in fixture.items() if "bn_" in key}
    state = network.state_dict()
    assert {key for key in state if "running" in key or "num_batches" in key} == statistics.keys()
    for key, value in statistics.items():
        torch.testing.assert_close(state[key], value, **TOLERANCE)


@pytest.mark.real_data
def test_parameter_counts_equal_the_reference(shared: Path) -> None:
    counts = json.loads((shared / "golden" / "convunext" / "params.json").read_text())
    with torch.device("meta"):
        for width in (8, 32):
            network = ConvUNeXt(counts["in_channels"], counts["num_classes"], width=width)
            assert sum(p.numel() for p in network.parameters()) == counts[f"base{width}_bilinear_True"]["total"]


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_the_volume_network_does_on_a_prism_what_the_image_network_does_on_a_slice(axis: int) -> None:
    """With the 2D kernels put into the middle of 3D ones, a volume that is constant along an axis stays constant.

    Reflected borders and interpolation keep constants, so every slice must give the 2D network's result.
    """
    torch.manual_seed(0)
    flat, solid = ConvUNeXt(2, 3, width=2).eval(), ConvUNeXt(2, 3, width=2, dim=3).eval()
    for (name, source), target in zip(flat.state_dict().items(), solid.state_dict().values(), strict=True):
        if source.shape == target.shape:
            target.copy_(source + 0.01 if "running_mean" in name else source)
            source.copy_(target)
        else:
            target.zero_().select(axis, target.shape[axis] // 2).copy_(source)
    image = torch.randn(1, 2, 66, 64)
    with torch.no_grad():
        expected = flat(image)
        volume = image.unsqueeze(axis).repeat_interleave(64, axis)
        logits = solid(volume)
    torch.testing.assert_close(logits, expected.unsqueeze(axis).expand_as(logits), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kernel", [3, 7])
def test_the_smallest_extent_is_the_smallest(kernel: int) -> None:
    network = ConvUNeXt(1, 1, width=2, kernel=kernel).eval()
    n = network.smallest
    with torch.no_grad():
        assert network(torch.zeros(1, 1, n, n + 1)).shape == (1, 1, n, n + 1)
        with pytest.raises(RuntimeError):
            network(torch.zeros(1, 1, n - 1, n))
