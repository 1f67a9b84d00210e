"""Pickles and PyTorch files: all that genuine ones hold comes out as it went in, and nothing else is reached."""

from __future__ import annotations

import argparse
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from convnextseg_engine.checkpoints.safe_pickle import load_pickle, load_torch
from convnextseg_engine.checkpoints.unsafe import DamagedCheckpoint, UnsafeCheckpoint
from convnextseg_engine.errors import InputError

PLAIN = {
    "text": "Ödem ✓",
    "numbers": [1, -1, 255, 70_000, -(2**40), 2**200, 0.5, float("inf"), True, False, None],
    "bytes": b"\x00\xff",
    "no bytes": b"",
    "tuple": (1, (2, 3), ()),
    "sets": [{1, 2}, frozenset({"a"})],
    3: "integer key",
    (1, 2): "nnU-Net's name of a region",
    "nested": {"a": {"b": [[], {}]}},
    "ordered": OrderedDict(b=1, a=2),
}
ARRAYS = {
    "float32": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(5, dtype=">i4"),
    "bool": np.array([True, False]),
    "texts": np.array(["T1", "FLAIR"]),
    "empty": np.zeros((0, 3), dtype=np.int16),
    "no axes": np.array(3.0),
    "complex": np.array([1j]),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_out_as_they_went_in(protocol: int) -> None:
    read = load_pickle(pickle.dumps(PLAIN, protocol))
    assert read == PLAIN
    assert list(read["ordered"]) == ["b", "a"]
    assert type(read["tuple"]) is tuple and type(read["sets"][1]) is frozenset


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_out_as_they_went_in(protocol: int, name: str) -> None:
    read = load_pickle(pickle.dumps([ARRAYS[name], ARRAYS[name]], protocol))
    np.testing.assert_array_equal(read[0], ARRAYS[name])
    assert read[0].dtype == ARRAYS[name].dtype and read[0].shape == ARRAYS[name].shape
    assert read[0] is read[1]  # a reference to an array that was completed in a second step


@pytest.mark.parametrize("core", ["core", "_core"])
def test_arrays_of_old_and_new_numpy_are_read(core: str) -> None:
    data = pickle.dumps([np.arange(3), np.float64(2.5)], 2)
    old, new = b"numpy.core.multiarray", b"numpy._core.multiarray"
    assert new in data or old in data
    data = data.replace(new, old) if core == "core" else data.replace(old, new)
    read = load_pickle(data)
    assert read[0].tolist() == [0, 1, 2] and read[1] == 2.5


def test_numpy_scalars_become_numbers() -> None:
    read = load_pickle(pickle.dumps({"a": np.float32(1.5), "b": np.int64(7), "c": np.bool_(True), "d": np.str_("x")}))
    assert read == {"a": 1.5, "b": 7, "c": True, "d": "x"}
    assert [type(value) for value in read.values()] == [float, int, bool, str]


def _tensors() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    tensors = {
        "float": torch.randn(3, 4),
        "half": torch.randn(5).half(),
        "bfloat16": torch.randn(5).bfloat16(),
        "double": torch.randn(2).double(),
        "long": torch.arange(4),
        "bool": torch.tensor([True, False]),
        "bytes": torch.arange(3, dtype=torch.uint8),
        "transposed": torch.randn(4, 5).t(),
        "part": torch.randn(10)[3:7],
        "channels last": torch.randn(1, 2, 3, 3).contiguous(memory_format=torch.channels_last),
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(3.0),
        "parameter": torch.nn.Parameter(torch.randn(2)),
    }
    return tensors | {"shared": tensors["float"], "view": tensors["float"][1]}


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_of_both_forms_come_out_as_torch_reads_them(tmp_path: Path, zipped: bool) -> None:
    tensors = _tensors()
    extras = {
        "size": tensors["float"].shape, "dtype": torch.float16, "device": torch.device("cuda:1"), "epoch": 3,
        "loss": np.float64(0.25), "args": argparse.Namespace(lr=0.1, name="run"),
    }  # fmt: skip
    torch.save({"weights": tensors} | extras, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    read = load_torch(tmp_path / "w.pth")
    weights = read.pop("weights")
    assert read == {
        "size": (3, 4), "dtype": torch.float16, "device": "cuda:1", "epoch": 3, "loss": 0.25,
        "args": {"lr": 0.1, "name": "run"},
    }  # fmt: skip
    assert list(weights) == list(tensors)
    for name, tensor in tensors.items():
        assert weights[name].dtype == tensor.dtype and weights[name].stride() == tensor.stride(), name
        assert torch.equal(weights[name], tensor), name
    assert weights["shared"].data_ptr() == weights["float"].data_ptr()
    assert weights["view"].untyped_storage().data_ptr() == weights["float"].untyped_storage().data_ptr()


def test_a_training_state_with_optimiser_and_scheduler_is_read(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 2, 3), torch.nn.BatchNorm3d(2))
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.randn(1, 1, 5, 5, 5)).sum().backward()
    optimizer.step()
    torch.save({"state_dict": network.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "w.pth")
    read = load_torch(tmp_path / "w.pth")
    reference = torch.load(tmp_path / "w.pth", weights_only=True)
    assert read["optimizer"]["param_groups"] == reference["optimizer"]["param_groups"]
    assert torch.equal(read["optimizer"]["state"][0]["exp_avg"], reference["optimizer"]["state"][0]["exp_avg"])
    assert all(torch.equal(read["state_dict"][key], value) for key, value in reference["state_dict"].items())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_network_is_refused_by_the_name_of_its_class(tmp_path: Path, zipped: bool) -> None:
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeCheckpoint) as refusal:
        load_torch(tmp_path / "w.pth")
    assert refusal.value.wanted == "torch.nn.modules.conv.Conv2d"
    assert "save_file(model.state_dict()" in refusal.value.remedy


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Path("/tmp"), "pathlib"),
        (np.random.default_rng(0), "numpy.random"),
        (slice(1), "builtins.slice"),
        (len, "builtins.len"),
        (InputError, "convnextseg_engine.errors.InputError"),
    ],
)
def test_other_types_are_refused_by_name(value: object, wanted: str) -> None:
    with pytest.raises(UnsafeCheckpoint, match=wanted):
        load_pickle(pickle.dumps(value))


def test_an_array_of_objects_is_refused() -> None:
    with pytest.raises(UnsafeCheckpoint, match="a numpy array of Python objects") as refused:
        load_pickle(pickle.dumps(np.array([{}, None], dtype=object)))
    assert "safetensors" in refused.value.remedy


def test_numbers_of_the_other_byte_order_are_refused(tmp_path: Path) -> None:
    import zipfile

    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth") as source, zipfile.ZipFile(tmp_path / "big.pth", "w") as target:
        for name in source.namelist():
            target.writestr(name, b"big" if name.endswith("byteorder") else source.read(name))
    with pytest.raises(DamagedCheckpoint, match="byte order"):
        load_torch(tmp_path / "big.pth")


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        load_torch(tmp_path / "none.pth")
