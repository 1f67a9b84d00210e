"""Weights that are sparse, complex, quantised or of 8 bits are refused for what they are, with how to convert them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from convnextseg_engine.checkpoints import state_file
from convnextseg_engine.checkpoints.answers import ImportAnswers
from convnextseg_engine.checkpoints.state_dicts import read_weights
from convnextseg_engine.checkpoints.unsafe import UnsupportedTensors
from convnextseg_engine.networks.registry import build

NETWORK = {"name": "unet3d", "norm": "none", "width": 4}


def _quantised() -> torch.Tensor:
    with warnings.catch_warnings():  # PyTorch moves quantisation elsewhere; files with it remain
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)


def _csr() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its support is a beta
        return torch.eye(3).to_sparse_csr()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (_csr, "sparse"),
        (lambda: torch.ones(2, dtype=torch.complex64), "complex"),
        (lambda: torch.ones(2, dtype=torch.complex128), "complex"),
        (_quantised, "quantised"),
        (lambda: torch.ones(2).to(torch.float8_e4m3fn), "8-bit"),
    ],
)
@pytest.mark.parametrize("of_today", [True, False])
def test_a_pytorch_file_says_what_its_tensors_are(
    make: Callable[[], torch.Tensor], word: str, of_today: bool, tmp_path: Path
) -> None:
    path = tmp_path / "w.pth"
    torch.save(
        {"state_dict": {"a": torch.ones(2), "b": make()}}, path, _use_new_zipfile_serialization=of_today
    )  # fmt: skip
    with pytest.raises(UnsupportedTensors) as refusal:
        read_weights(path)
    assert word in refusal.value.message
    assert "dense float32" in refusal.value.remedy
    assert "in the program" in refusal.value.remedy.lower()


@pytest.mark.parametrize(
    ("tensor", "word"),
    [(torch.ones(2, dtype=torch.complex64), "complex"), (torch.ones(2).to(torch.float8_e5m2), "8-bit")],
)
def test_a_safetensors_file_says_which_tensor_it_is(tensor: torch.Tensor, word: str, tmp_path: Path) -> None:
    save_file({"a": torch.ones(2), "layer.weight": tensor}, tmp_path / "w.safetensors")
    with pytest.raises(UnsupportedTensors, match=word) as refusal:
        read_weights(tmp_path / "w.safetensors")
    assert "layer.weight" in refusal.value.message


def test_whole_numbers_in_the_place_of_weights_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    tensors = build(NETWORK, 1, 2).state_dict()
    key = next(key for key, value in tensors.items() if value.dim() > 1)
    tensors[key] = (tensors[key] * 100).to(torch.int8)
    torch.save(tensors, tmp_path / "w.pth")
    answers = ImportAnswers(
        channels=("T1",), labels=(("core", 1),), spacing=(1.0, 1.0, 1.0), axes="SPL", intensity="none",
        licence="unknown", patch=(32, 32, 32),
    )  # fmt: skip
    imported = state_file.read(tmp_path / "w.pth", answers)
    with pytest.raises(UnsupportedTensors, match="quantised"):
        imported.write(tmp_path / "model", "m")
    assert not (tmp_path / "model").exists()


def test_half_precision_and_bfloat16_are_weights(tmp_path: Path) -> None:
    tensors = {"a": torch.ones(2, dtype=torch.float16), "b": torch.ones(2, dtype=torch.bfloat16)}
    torch.save(tensors, tmp_path / "w.pth")
    read, _ = read_weights(tmp_path / "w.pth")
    assert {key: value.dtype for key, value in read.items()} == {"a": torch.float16, "b": torch.bfloat16}
