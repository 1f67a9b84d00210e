"""Files that are cut short or damaged end in a clear error, never in a traceback of a library."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from convnextseg_engine.checkpoints.monai_config import PlainConfig
from convnextseg_engine.checkpoints.safe_pickle import load_pickle
from convnextseg_engine.checkpoints.state_dicts import read_weights
from convnextseg_engine.errors import InputError

CONTENT = {
    "epoch": 3,
    "state_dict": {"a.weight": torch.arange(12.0).reshape(3, 4), "a.bias": torch.ones(3, dtype=torch.float16)},
    "plans": {"spacing": np.array([1.0, 2.0, 3.0]), "names": ["T1", "FLAIR"], (1, 2): {4, 5}},
}


def _file(folder: Path, form: str) -> Path:
    if form == "safetensors":
        save_file(CONTENT["state_dict"], folder / "w.safetensors")
        return folder / "w.safetensors"
    if form == "pickle":
        (folder / "w.pth").write_bytes(pickle.dumps({"plans": CONTENT["plans"]}))
    else:
        torch.save(CONTENT, folder / "w.pth", _use_new_zipfile_serialization=form == "zip")
    return folder / "w.pth"


def _only_clear_errors(read: Callable[[], object]) -> bool:
    """Run ``read``; return whether it refused. Anything but an error in plain words fails the test."""
    try:
        read()
    except InputError as error:
        assert error.message and error.remedy and "Traceback" not in str(error)
        return True
    return False


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path, form: str) -> None:
    path = _file(tmp_path, form)
    data = path.read_bytes()
    rng = random.Random(0)
    cuts = sorted({0, 1, 3, 4, 8, len(data) - 1, *(rng.randrange(len(data)) for _ in range(120))})
    for cut in cuts:
        path.write_bytes(data[:cut])
        assert _only_clear_errors(lambda: read_weights(path)), f"cut at {cut} of {len(data)}"


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "pickle"])
def test_damaged_bytes_are_refused_or_change_numbers_only(tmp_path: Path, form: str) -> None:
    path = _file(tmp_path, form)
    data = path.read_bytes()
    rng = random.Random(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        refused += _only_clear_errors(lambda: read_weights(path))
    assert refused > 100


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_random_bytes_are_no_pickle_that_does_anything(data: bytes) -> None:
    _only_clear_errors(lambda: load_pickle(data))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([bytes([code]) for code in range(256)] + [b"cos\nsystem\n", b"K\x01", b"\x8c\x01a"])))
def test_random_instructions_are_no_pickle_that_does_anything(parts: list[bytes]) -> None:
    _only_clear_errors(lambda: load_pickle(b"\x80\x04" + b"".join(parts) + b"."))


def test_damaged_pickles_are_refused_or_read() -> None:
    data = pickle.dumps(CONTENT["plans"])
    rng = random.Random(2)
    for _ in range(1500):
        damaged = bytearray(data)
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        _only_clear_errors(lambda damaged=damaged: load_pickle(bytes(damaged)))


def test_damaged_configurations_are_refused_or_read(tmp_path: Path) -> None:
    text = json.dumps({"a": {"b": ["@c", 1]}, "c": "@d", "d": 2, "network_def": {"_target_": "UNet", "x": "@a#b#0"}})
    rng = random.Random(3)
    path = tmp_path / "inference.json"
    for _ in range(300):
        damaged = bytearray(text.encode())
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        _only_clear_errors(lambda: PlainConfig.read(path).plain("network_def"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"epoch": 1}, "no weights"),
        ([torch.ones(1)], "no weights"),
        ({"first": {"a": torch.ones(1)}, "second": {"a": torch.ones(1)}}, "told apart"),
    ],
)
def test_a_file_without_weights_is_refused(tmp_path: Path, content: object, said: str) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=said):
        read_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "network_weights", "anything"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_usual_wrappers_are_taken_off(tmp_path: Path, wrapper: str, prefix: str) -> None:
    weights = {f"{prefix}a.weight": torch.ones(2), f"{prefix}a.bias": torch.zeros(2)}
    torch.save({wrapper: weights, "optimizer": {"state": {}, "param_groups": []}}, tmp_path / "w.pth")
    tensors, notes = read_weights(tmp_path / "w.pth")
    assert list(tensors) == ["a.weight", "a.bias"]
    assert wrapper in notes[0]
