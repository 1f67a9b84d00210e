"""What imported models state in their metadata, and the weights of ensembles."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file

from convnextseg_engine.errors import InputError
from convnextseg_engine.models.checksums import write_sums
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata

INFERENCE = {
    "overlap": 0.25, "mirror_axes": [0, 2], "arithmetic": "nnunet-v2", "smallest_component_ml": 0.1,
    "temperature": {"whole tumour": 1.5},
}  # fmt: skip


def test_a_model_of_the_usual_kind_says_nothing_new(metadata: Metadata) -> None:
    assert not {"preparation", "inference", "members"} & set(metadata.to_dict())
    assert Metadata.from_dict(metadata.to_dict()) == metadata


def test_new_fields_come_back_from_json(metadata: Metadata) -> None:
    stated = dataclasses.replace(
        metadata, preparation={"scheme": "nnunet-v2"}, inference=INFERENCE,
        members=("model.safetensors", "member-2.safetensors"),
    )  # fmt: skip
    assert Metadata.from_dict(json.loads(json.dumps(stated.to_dict()))) == stated


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("preparation", [], "“preparation” must be an object"),
        ("inference", {"speed": 2}, "“speed”"),
        ("inference", {"overlap": 1.0}, "a share between 0 and 0.9"),
        ("inference", {"overlap": True}, "a share between"),
        ("inference", {"mirror_axes": [0, 0]}, "at most once"),
        ("inference", {"mirror_axes": [3]}, "at most once"),
        ("inference", {"arithmetic": "float8"}, "float32, nnunet-v2, nnunet-v1"),
        ("inference", {"smallest_component_ml": -1}, "millilitres"),
        ("inference", {"temperature": {"whole": 0}}, "a positive number"),
        ("members", [], "“members” must be"),
        ("members", ["member-2.safetensors"], "“members” must be"),
        ("members", ["model.safetensors", "../secret"], "“members” must be"),
        ("members", "model.safetensors", "list of texts"),
    ],
)
def test_what_is_wrong_is_named(metadata: Metadata, name: str, value, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Metadata.from_dict(metadata.to_dict() | {name: value})


def test_an_ensemble_has_a_weights_file_for_each_member(tmp_path, metadata, contract) -> None:
    members = [{"w": torch.full((2,), float(number))} for number in range(3)]
    model = ModelFolder.write(tmp_path / "m", metadata, contract, members[0], "#", more_members=members[1:])
    opened = ModelFolder.open(model.path)
    assert [path.name for path in opened.weights_paths] == [
        "model.safetensors", "member-2.safetensors", "member-3.safetensors",
    ]  # fmt: skip
    assert opened.weights_path == opened.weights_paths[0]
    assert [float(load_file(path)["w"][0]) for path in opened.weights_paths] == [0, 1, 2]


def test_one_network_made_of_an_ensemble_is_one_again(tmp_path, metadata, contract) -> None:
    weights = {"w": torch.ones(2)}
    ensemble = ModelFolder.write(tmp_path / "m", metadata, contract, weights, "#", more_members=[weights])
    single = ModelFolder.write(tmp_path / "n", ensemble.metadata, contract, weights, "#")
    assert single.metadata.members == ("model.safetensors",)


def test_a_missing_member_is_named(tmp_path, metadata, contract) -> None:
    weights = {"w": torch.ones(2)}
    model = ModelFolder.write(tmp_path / "m", metadata, contract, weights, "#", more_members=[weights])
    (model.path / "member-2.safetensors").unlink()
    write_sums(model.path)
    with pytest.raises(InputError, match=r"member-2\.safetensors is missing"):
        ModelFolder.open(model.path)
