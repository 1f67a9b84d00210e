"""What a model says about itself is checked field by field."""

from __future__ import annotations

import json

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.models.metadata import Metadata, is_model_name, is_version


def test_json_round_trip(metadata):
    assert Metadata.from_dict(json.loads(json.dumps(metadata.to_dict()))) == metadata


def test_what_may_be_left_out_has_a_default(metadata):
    needed = ("name", "version", "title", "intended_use", "network", "channels", "spacing", "patch")
    short = Metadata.from_dict({"format": 1} | {name: metadata.to_dict()[name] for name in needed})
    assert (short.intensity, short.skull_stripped, short.training_cases) == ("zscore-foreground", False, ())


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "Tiny Brain", "cannot name a model"),
        ("name", "../x", "cannot name a model"),
        ("name", 3, "“name” must be a text"),
        ("version", "2", "not a version"),
        ("version", "v0", "not a version"),
        ("title", "", "must not be empty"),
        ("intended_use", "", "must not be empty"),
        ("network", {}, "“network” is empty"),
        ("network", "mednext", "“network” must be an object"),
        ("channels", [], "at least one"),
        ("channels", ["T1", "T1"], "once"),
        ("channels", "T1", "must be a list"),
        ("channels", [1], "lists of texts"),
        ("spacing", [1, 1], "three millimetre values"),
        ("spacing", [1, 1, 0], "between 0.01 and 100 mm"),
        ("spacing", [1, 1, float("nan")], "between 0.01 and 100 mm"),
        ("spacing", ["a", 1, 1], "could not convert"),
        ("patch", [64, 64], "three voxel counts"),
        ("patch", [64, 64, 0], "above 0"),
        ("patch", [10**6] * 3, "no more than"),
        ("patch", [64, 64, 1.5], "not a whole number"),
        ("patch", [True, 64, 64], "not a whole number"),
        ("skull_stripped", "yes", "true or false"),
        ("lineage", [], "“lineage” must be an object"),
        ("training_cases", [None], "lists of texts"),
        ("colour", "red", "unknown: colour"),
    ],
)
def test_a_wrong_field_is_named(metadata, field, value, words):
    with pytest.raises(InputError, match=words) as caught:
        Metadata.from_dict(metadata.to_dict() | {field: value})
    assert caught.value.code == "bad-metadata"


def test_missing_fields_are_named(metadata):
    data = metadata.to_dict()
    del data["title"], data["patch"]
    with pytest.raises(InputError, match="missing: patch, title"):
        Metadata.from_dict(data)


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format_is_refused_with_update_as_remedy(metadata, number):
    with pytest.raises(InputError, match="does not know") as caught:
        Metadata.from_dict(metadata.to_dict() | {"format": number})
    assert "Update" in caught.value.remedy


@pytest.mark.parametrize("content", ["", "[]", "{", "null"])
def test_a_damaged_file_is_said_in_words(tmp_path, content):
    (tmp_path / "metadata.json").write_text(content)
    with pytest.raises(InputError, match=r"metadata\.json cannot be used"):
        Metadata.read(tmp_path / "metadata.json")


def test_names_and_versions_can_be_folders_everywhere():
    assert is_model_name("brain-tumour-2")
    assert not any(is_model_name(text) for text in ("", "Brain", "-a", "a/b", "a b", "a@v1", "ä", "a" * 65, "a\n"))
    assert is_version("v12")
    assert not any(is_version(text) for text in ("", "v0", "v01", "12", "v1/..", "v1\n"))
