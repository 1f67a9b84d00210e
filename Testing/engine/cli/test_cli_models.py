"""``convnextseg models``: listing, showing, promoting, rolling back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.models.weights import load_weights


@pytest.fixture
def store(tiny_model: ModelFolder, private_home: Path) -> ModelStore:
    """A store with tiny@v1 (current)."""
    store = ModelStore(private_home)
    store.install(tiny_model.path)
    return store


def _candidate(store: ModelStore, model: ModelFolder, folder: Path, outcome: str, note: str = "") -> str:
    weights = {key: value + 0.01 for key, value in load_weights(model.weights_path).items()}
    metadata = replace(model.metadata, title=f"Fine-tuned {note}")
    shutil.rmtree(folder, ignore_errors=True)
    ModelFolder.write(folder, metadata, model.contract, weights, "# Fine-tuned\n")
    return store.add_candidate("tiny", folder, {"outcome": outcome, "text": f"Result: {outcome}"})


def test_list_is_an_array_of_objects_with_names(
    run: Callable, store: ModelStore, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    _candidate(store, tiny_model, tmp_path / "c", "too few cases")
    (listed,) = run("models", "list", "--json").values
    entry = next(model for model in listed if model["name"] == "tiny")
    assert entry["current"] == "v1"
    assert [(v["name"], v["status"]) for v in entry["versions"]] == [("v1", "current"), ("v2", "candidate")]
    assert "tiny" in run("models", "list").out


def test_show_tells_what_the_model_is(
    run: Callable, store: ModelStore, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    _candidate(store, tiny_model, tmp_path / "c", "too few cases")
    ran = run("models", "show", "tiny")
    assert "Not for clinical use" in ran.out
    assert "T1, T1c, T2, FLAIR" in ran.out
    (shown,) = run("models", "show", "tiny@v2", "--json").values
    assert shown["event"] == "result"
    assert shown["version"] == "v2"
    assert shown["verdict"]["outcome"] == "too few cases"
    assert [label["name"] for label in shown["labels"]] == ["edema", "core", "enhancing"]
    assert "Result: too few cases" in run("models", "show", "tiny@v2").out
    assert "outside the store" in run("models", "show", tiny_model.path).out


def test_a_damaged_first_version_hides_no_later_one(
    run: Callable, store: ModelStore, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    version = _candidate(store, tiny_model, tmp_path / "c", "accept")
    first = store.open("tiny@v1").path
    with (first / "model.safetensors").open("ab") as file:
        file.write(b"x")
    assert run("models", "show", f"tiny@{version}").status == 0
    (first / "metadata.json").write_text("{")
    assert run("models", "show", f"tiny@{version}").status == 0
    assert run("models", "show", "tiny@v1").status == 2


def test_promote_and_roll_back(run: Callable, store: ModelStore, tiny_model: ModelFolder, tmp_path: Path) -> None:
    version = _candidate(store, tiny_model, tmp_path / "c", "accept")
    assert run("models", "promote", f"tiny@{version}", "--note", "better on ours").status == 0
    assert store.current("tiny") == version
    assert store.history("tiny")[-1].note == "better on ours"
    ran = run("models", "rollback", "tiny", "--json")
    assert ran.values[-1] == {"event": "result", "name": "tiny", "current": "v1"}
    assert store.current("tiny") == "v1"


@pytest.mark.parametrize("outcome", ["reject", "hard stop"])
def test_a_version_that_the_gate_advises_against_needs_overruling_and_that_is_recorded(
    run: Callable, store: ModelStore, tiny_model: ModelFolder, tmp_path: Path, outcome: str
) -> None:
    version = _candidate(store, tiny_model, tmp_path / "c", outcome)
    refused = run("models", "promote", f"tiny@{version}")
    assert refused.status == 2
    assert "--overrule" in refused.err
    assert store.current("tiny") == "v1"
    assert run("models", "promote", f"tiny@{version}", "--overrule", "--note", "seen by hand").status == 0
    event = store.history("tiny")[-1]
    assert (event.version, event.overruled, event.note) == (version, True, "seen by hand")


def test_too_few_cases_is_for_a_person_to_decide(
    run: Callable, store: ModelStore, tiny_model: ModelFolder, tmp_path: Path
) -> None:
    version = _candidate(store, tiny_model, tmp_path / "c", "too few cases")
    assert run("models", "promote", f"tiny@{version}").status == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["promote", "tiny"], "tiny@v2"), (["promote", "tiny@v9"], "v9"), (["promote", "tiny@v1"], "already"),
     (["rollback", "tiny"], "no earlier version"), (["rollback", "tiny@v1"], "tiny alone"),
     (["show", "none"], "none"), (["promote", "none@v1"], "none")],
)  # fmt: skip
def test_what_cannot_be_done_is_said(run: Callable, store: ModelStore, arguments: list, words: str) -> None:
    ran = run("models", *arguments)
    assert ran.status == 2
    assert words in ran.err
