"""Model folders: whole or refused, by the name of the file that is wrong."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
import torch

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.prepare import InputSpec
from convnextseg_engine.models.checksums import write_sums
from convnextseg_engine.models.folder import ModelFolder


def test_a_model_comes_back_as_it_was_written(make_model, metadata, contract):
    written = make_model()
    model = ModelFolder.open(written.path)
    assert model == written
    assert (model.metadata, model.contract) == (metadata, contract)
    assert model.spec == "tiny-brain@v1"
    assert model.input_spec == InputSpec(("T1", "T1c"), (1.0, 1.0, 1.5), "zscore-foreground")
    assert sorted(file.name for file in model.path.iterdir()) == [
        "README.md", "SHA256SUMS", "labels.json", "metadata.json", "model.safetensors",
    ]  # fmt: skip


def test_the_checksums_are_those_of_sha256sum(make_model):
    model = make_model()
    for line in (model.path / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((model.path / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["metadata.json", "labels.json", "model.safetensors", "README.md"])
def test_a_changed_file_is_named(make_model, name):
    file = make_model().path / name
    content = bytearray(file.read_bytes())
    content[-2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"The file {name} differs") as caught:
        ModelFolder.open(file.parent)
    assert caught.value.code == "bad-checksums"


@pytest.mark.parametrize("name", ["metadata.json", "labels.json", "model.safetensors", "README.md", "SHA256SUMS"])
def test_a_missing_file_is_named(make_model, name):
    file = make_model().path / name
    file.unlink()
    with pytest.raises(InputError, match=f"The file {name} is missing"):
        ModelFolder.open(file.parent)


@pytest.mark.parametrize("name", ["model.pkl", ".hidden"])
def test_a_file_that_is_not_listed_is_refused(make_model, name):
    path = make_model().path
    (path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=f"“{name}” is not listed"):
        ModelFolder.open(path)


def test_what_file_managers_leave_behind_does_no_harm(make_model):
    path = make_model().path
    (path / ".DS_Store").write_bytes(b"x")
    assert ModelFolder.open(path).spec == "tiny-brain@v1"


def test_a_sub_folder_is_refused(make_model):
    path = make_model().path
    (path / "code").mkdir()
    with pytest.raises(InputError, match="“code” is not listed"):
        ModelFolder.open(path)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a\\b", "..", "c:x", "SHA256SUMS"])
def test_a_list_that_leads_out_of_the_folder_is_refused(make_model, name):
    path = make_model().path
    with (path / "SHA256SUMS").open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(InputError, match="is not a file of this folder"):
        ModelFolder.open(path)


@pytest.mark.parametrize("line", ["garbage", f"{'0' * 63}  a", f"{'0' * 64}  README.md"])
def test_a_list_that_cannot_be_read_is_refused(make_model, line):
    path = make_model().path
    with (path / "SHA256SUMS").open("a") as sums:
        sums.write(line + "\n")
    with pytest.raises(InputError, match="cannot be read"):
        ModelFolder.open(path)


def test_a_label_contract_that_is_no_json_is_named(make_model):
    path = make_model().path
    (path / "labels.json").write_text("{")
    write_sums(path)
    with pytest.raises(InputError, match=r"labels\.json"):
        ModelFolder.open(path)


def test_an_existing_folder_is_not_overwritten(make_model, metadata, contract):
    model = make_model()
    before = {file.name: file.read_bytes() for file in model.path.iterdir()}
    with pytest.raises(InputError, match="exists already"):
        make_model(seed=1)
    assert {file.name: file.read_bytes() for file in model.path.iterdir()} == before


def test_a_model_that_cannot_be_saved_leaves_nothing(tmp_path, metadata, contract):
    with pytest.raises(InputError, match="not finite"):
        ModelFolder.write(tmp_path / "m", metadata, contract, {"w": torch.tensor([float("nan")])}, "#")
    assert not [entry for entry in tmp_path.iterdir() if "m" in entry.name.split("-")]
    assert not (tmp_path / "m").exists()


def test_a_path_that_is_no_folder_is_said_in_words(tmp_path):
    with pytest.raises(InputError, match="no model folder"):
        ModelFolder.open(tmp_path / "nothing")


def test_reading_a_model_does_not_import_torch(make_model, repository):
    """Slicer's own process lists and opens models; torch stays out of it."""
    script = (
        "import sys; from convnextseg_engine.models.store import ModelStore;"
        "print(ModelStore().open(sys.argv[1]).spec); assert not {'torch', 'monai', 'safetensors'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(repository / "ConvNeXtSeg")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(make_model().path)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "tiny-brain@v1"
