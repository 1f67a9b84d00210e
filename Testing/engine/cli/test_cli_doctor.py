"""``convnextseg doctor``: complete, and silent about who sits at the computer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore


def test_it_tells_versions_devices_memory_and_the_users_folder(run: Callable) -> None:
    ran = run("doctor", "--json")
    assert ran.status == 0
    (found,) = ran.values
    packages = {entry["name"]: entry["version"] for entry in found["packages"]}
    assert packages["torch"]
    assert packages["monai"]
    assert found["devices"][-1]["name"] == "cpu"
    assert found["memory_gb"] > 0
    assert found["home"]["writable"] is True
    assert found["home"]["free_disk_gb"] > 0
    assert found["cpu"]["cores"] >= 1


def test_the_users_name_does_not_appear(run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "jane.roe"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("CONVNEXTSEG_HOME", str(home / "models here"))
    for arguments in (["doctor"], ["doctor", "--json"]):
        ran = run(*arguments)
        assert "jane.roe" not in ran.out + ran.err
        assert "~" in ran.out


def test_a_damaged_model_is_named(run: Callable, tiny_model: ModelFolder, private_home: Path) -> None:
    ModelStore(private_home).install(tiny_model.path)
    weights = private_home / "models/tiny/versions/v1/model.safetensors"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    (found,) = run("doctor", "--json").values
    model = next(entry for entry in found["models"] if entry["name"] == "tiny@v1")
    assert model["intact"] is False
    assert any("tiny@v1" in problem for problem in found["problems"])


def test_a_folder_that_cannot_be_written_is_a_problem_in_words(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convnextseg_engine.cli import doctor

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    (found,) = run("doctor", "--json").values
    assert found["home"]["writable"] is False
    assert any("CONVNEXTSEG_HOME" in problem for problem in found["problems"])
