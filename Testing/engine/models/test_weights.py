"""The tensors of a model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from convnextseg_engine.errors import InputError
from convnextseg_engine.models.weights import load_into, load_weights, save_weights


def network(width: int = 4) -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, width, 3), nn.BatchNorm3d(width))


def test_full_precision_is_exact(tmp_path):
    source, target = network(), network()
    save_weights(source.state_dict(), tmp_path / "w.safetensors", half=False)
    load_into(target, tmp_path / "w.safetensors")
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor), name


def test_half_precision_halves_the_file_and_comes_back_as_fp32(tmp_path):
    source = {"w": torch.randn(64, 64, generator=torch.Generator().manual_seed(0)), "steps": torch.tensor(70000)}
    save_weights(source, tmp_path / "half.safetensors")
    save_weights(source, tmp_path / "full.safetensors", half=False)
    back = load_weights(tmp_path / "half.safetensors")
    assert back["w"].dtype == torch.float32
    assert torch.allclose(back["w"], source["w"], rtol=1e-3, atol=1e-4)
    assert back["steps"].item() == 70000
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("half", "full")]
    assert sizes[0] < 0.55 * sizes[1]


def test_tied_and_transposed_tensors_are_written(tmp_path):
    tensor = torch.arange(6.0).reshape(2, 3)
    save_weights({"a": tensor, "b": tensor, "c": tensor.T}, tmp_path / "w.safetensors")
    back = load_weights(tmp_path / "w.safetensors")
    assert torch.equal(back["b"], tensor)
    assert torch.equal(back["c"], tensor.T)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_damaged_weights_are_neither_saved_nor_loaded(tmp_path, value):
    from safetensors.torch import save_file

    damaged = {"good": torch.ones(2), "bad.weight": torch.tensor([1.0, value])}
    with pytest.raises(InputError, match=r"bad\.weight holds values that are not finite"):
        save_weights(damaged, tmp_path / "w.safetensors")
    assert not list(tmp_path.iterdir())
    save_file(damaged, str(tmp_path / "w.safetensors"))
    with pytest.raises(InputError, match=r"bad\.weight holds values that are not finite"):
        load_weights(tmp_path / "w.safetensors")


def test_what_half_precision_cannot_hold_is_refused(tmp_path):
    with pytest.raises(InputError, match="too large for half precision"):
        save_weights({"w": torch.tensor([70000.0])}, tmp_path / "w.safetensors")
    save_weights({"w": torch.tensor([70000.0])}, tmp_path / "w.safetensors", half=False)
    assert load_weights(tmp_path / "w.safetensors")["w"].item() == 70000


def test_weights_of_another_network_are_refused_by_the_tensor_that_differs(tmp_path):
    save_weights(network(4).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"0\.weight has shape \(4, 1, 3, 3, 3\) instead of \(5, 1, 3, 3, 3\)"):
        load_into(network(5), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"1\.\w+ has no place.*and 4 more"):
        load_into(nn.Sequential(nn.Conv3d(1, 4, 3)), tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"2\.weight is missing"):
        load_into(nn.Sequential(*network(4), nn.Conv3d(4, 1, 1)), tmp_path / "w.safetensors")


def test_a_refused_file_leaves_the_network_as_it_was(tmp_path):
    save_weights(network(4).state_dict(), tmp_path / "w.safetensors")
    other = network(5)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(InputError):
        load_into(other, tmp_path / "w.safetensors")
    assert all(torch.equal(tensor, before[name]) for name, tensor in other.state_dict().items())


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\xff" * 64])
def test_a_file_that_is_no_safetensors_is_said_in_words(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        load_weights(tmp_path / "w.safetensors")


def test_a_network_without_memory_gets_that_of_the_file(tmp_path):
    """A description of a giant network is refused before it takes the computer's memory."""
    save_weights(network(4).state_dict(), tmp_path / "w.safetensors")
    with torch.device("meta"):
        empty, giant = network(4), network(10**7)
    load_into(empty, tmp_path / "w.safetensors")
    assert {parameter.device.type for parameter in empty.parameters()} == {"cpu"}
    with pytest.raises(InputError, match="10000000"):
        load_into(giant, tmp_path / "w.safetensors")
