"""The store: immutable versions, one current, every decision recorded."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys

import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.models import state as state_module
from convnextseg_engine.models import store as store_module
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore

NAME = "tiny-brain"
VERDICT = {"outcome": "too few cases", "cases": [{"name": "A", "dice": 0.8}]}


@pytest.fixture
def candidate(make_model):
    """Stage a fine-tuned model; every call makes another one."""
    count = iter(range(1, 100))

    def make():
        number = next(count)
        return make_model(f"staged-{number}", seed=number, lineage={"base": "tiny-brain@v1", "run": number}).path

    return make


def test_a_bundled_model_is_version_1_where_it_lies(store, bundled):
    assert store.names() == [NAME]
    (info,) = store.versions(NAME)
    assert (info.version, info.status, info.bundled, info.path) == ("v1", "current", True, bundled / NAME)
    assert (store.current(NAME), store.first(NAME)) == ("v1", "v1")
    assert store.open(NAME).path == bundled / NAME
    assert store.history(NAME) == []


def test_the_engine_lists_what_it_ships(private_home, repository):
    shipped = repository / "ConvNeXtSeg" / "convnextseg_engine" / "data" / "models"
    folders = sorted(path.parent.name for path in shipped.glob("*/metadata.json"))
    assert ModelStore().names() == folders
    assert [ModelStore().open(name).spec for name in folders] == [f"{name}@v1" for name in folders]


def test_a_candidate_becomes_a_version_but_not_the_current_one(store, candidate):
    staged = candidate()
    weights = (staged / "model.safetensors").read_bytes()
    assert store.add_candidate(NAME, staged, VERDICT) == "v2"
    assert not staged.exists()
    assert store.current(NAME) == "v1"
    first, second = store.versions(NAME)
    assert (first.status, second.status, second.verdict) == ("current", "candidate", VERDICT)
    model = store.open("tiny-brain@v2")
    assert model.spec == "tiny-brain@v2"  # its own metadata says so too
    assert model.weights_path.read_bytes() == weights


def test_promoting_and_rolling_back_walk_the_same_way(store, candidate):
    for _ in range(3):
        store.add_candidate(NAME, candidate(), VERDICT)
    for version in ("v2", "v4"):
        store.promote(NAME, version)
    assert store.open(NAME).spec == "tiny-brain@v4"
    assert [info.status for info in store.versions(NAME)] == ["former", "former", "candidate", "current"]
    assert [store.rollback(NAME), store.rollback(NAME)] == ["v2", "v1"]
    assert [info.status for info in store.versions(NAME)] == ["current", "former", "candidate", "former"]
    with pytest.raises(InputError, match="no earlier version"):
        store.rollback(NAME)
    assert store.first(NAME) == "v1"


def test_every_decision_is_recorded(store, candidate, private_home):
    store.add_candidate(NAME, candidate(), VERDICT)
    store.promote(NAME, "v2", overruled=True, note="Reviewed all five cases.")
    store.rollback(NAME)
    events = store.history(NAME)
    assert [(e.action, e.version, e.previous) for e in events] == [
        ("add", "v2", "v1"), ("promote", "v2", "v1"), ("rollback", "v1", "v2"),
    ]  # fmt: skip
    promoted = events[1]
    assert (promoted.verdict, promoted.overruled, promoted.note) == (VERDICT, True, "Reviewed all five cases.")
    assert promoted.time.endswith("+00:00")
    lines = (private_home / "models" / NAME / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["add", "promote", "rollback"]


def test_another_process_sees_the_decision(store, candidate, bundled):
    store.add_candidate(NAME, candidate(), VERDICT)
    store.promote(NAME, "v2")
    assert ModelStore(bundled=bundled).current(NAME) == "v2"


def test_versions_are_never_changed_and_numbers_never_given_again(store, candidate):
    store.add_candidate(NAME, candidate(), VERDICT)
    path = store.open("tiny-brain@v2").path
    if os.name == "posix":
        assert not any(file.stat().st_mode & stat.S_IWUSR for file in path.iterdir())
    shutil.rmtree(path)  # the user may delete what is hers
    assert [info.version for info in store.versions(NAME)] == ["v1"]
    assert store.add_candidate(NAME, candidate(), VERDICT) == "v3"


def test_a_candidate_added_before_a_crash_is_not_added_twice(store, candidate, tmp_path):
    staged = candidate()
    shutil.copytree(staged, tmp_path / "again")
    assert store.add_candidate(NAME, staged, VERDICT) == "v2"
    assert store.add_candidate(NAME, tmp_path / "again", VERDICT) == "v2"
    assert len(store.versions(NAME)) == 2
    assert not (tmp_path / "again").exists()


def test_a_damaged_candidate_is_refused_and_stays_where_it_is(store, candidate):
    staged = candidate()
    (staged / "README.md").write_text("changed")
    with pytest.raises(InputError, match=r"README\.md differs"):
        store.add_candidate(NAME, staged, VERDICT)
    assert staged.exists()
    assert len(store.versions(NAME)) == 1


def test_a_candidate_of_another_model_is_refused(store, make_model):
    with pytest.raises(InputError, match="calls itself other"):
        store.add_candidate(NAME, make_model("staged", name="other").path, VERDICT)


def test_a_damaged_version_is_listed_but_cannot_be_promoted(store, candidate):
    store.add_candidate(NAME, candidate(), VERDICT)
    file = store.open("tiny-brain@v2").path / "metadata.json"
    file.chmod(0o644)
    file.write_text("{")
    info = store.versions(NAME)[1]
    assert info.status == "damaged"
    assert "metadata.json" in info.title
    with pytest.raises(InputError, match=r"metadata\.json differs"):
        store.promote(NAME, "v2")
    assert store.current(NAME) == "v1"


def test_what_cannot_be_promoted_is_said_in_words(store):
    with pytest.raises(InputError, match=r"no version v7 of tiny-brain\. There is v1"):
        store.promote(NAME, "v7")
    with pytest.raises(InputError, match="current version already"):
        store.promote(NAME, "v1")
    with pytest.raises(InputError, match="no model “kidney”"):
        store.promote("kidney", "v1")
    with pytest.raises(InputError, match=r"no model “\.\./x”"):
        store.versions("../x")


def test_rolling_back_skips_versions_that_were_deleted(store, candidate):
    for _ in range(2):
        store.add_candidate(NAME, candidate(), VERDICT)
    store.promote(NAME, "v2")
    store.promote(NAME, "v3")
    shutil.rmtree(store.open("tiny-brain@v2").path)
    assert store.rollback(NAME) == "v1"


def test_a_deleted_current_version_is_said_in_words_and_can_be_left(store, candidate):
    store.add_candidate(NAME, candidate(), VERDICT)
    store.promote(NAME, "v2")
    shutil.rmtree(store.open("tiny-brain@v2").path)
    with pytest.raises(InputError, match="no version v2") as caught:
        store.open(NAME)
    assert "roll back" in caught.value.remedy
    assert store.rollback(NAME) == "v1"
    assert store.open(NAME).spec == "tiny-brain@v1"


def test_models_are_named_by_name_version_or_path(store, candidate, make_model):
    store.add_candidate(NAME, candidate(), VERDICT)
    elsewhere = make_model("elsewhere", name="own")
    assert store.open(NAME).spec == "tiny-brain@v1"
    assert store.open("tiny-brain@v2").spec == "tiny-brain@v2"
    assert store.open(elsewhere.path) == elsewhere
    assert store.open(str(elsewhere.path)) == elsewhere
    for wrong in ("tiny-brain@2", "tiny-brain@", "tiny-brain@v9", "nothing", "/nothing", ""):
        with pytest.raises(InputError, match="There is no"):
            store.open(wrong)


def test_a_new_model_is_installed_once(store, make_model):
    own = make_model("own", name="own", version="v5").path
    assert store.install(own) == "v1"
    assert store.open("own").spec == "own@v1"
    assert own.exists()  # the user's folder stays
    assert store.names() == ["own", NAME]
    assert [(e.action, e.version) for e in store.history("own")] == [("install", "v1")]
    with pytest.raises(InputError, match="a model named own already"):
        store.install(own)
    with pytest.raises(InputError, match=f"a model named {NAME} already"):
        store.install(make_model("mine").path)


def test_a_crash_between_state_and_log_loses_no_event(store, candidate, monkeypatch):
    store.add_candidate(NAME, candidate(), VERDICT)

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state_module, "append_line", crash)
        with pytest.raises(KeyboardInterrupt):
            store.promote(NAME, "v2", note="interrupted")
    assert store.current(NAME) == "v2"
    assert store.history(NAME)[-1].note == "interrupted"
    store.rollback(NAME)
    assert [(e.action, e.note) for e in store.history(NAME)] == [
        ("add", ""),
        ("promote", "interrupted"),
        ("rollback", ""),
    ]


def test_a_crash_between_placing_and_recording_is_made_good_when_it_is_added_again(store, candidate, monkeypatch):
    staged = candidate()

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store_module, "commit", crash)
        with pytest.raises(KeyboardInterrupt):
            store.add_candidate(NAME, staged, VERDICT)
    assert store.add_candidate(NAME, staged, VERDICT) == "v2"
    assert store.versions(NAME)[1].verdict == VERDICT
    assert [(e.action, e.version) for e in store.history(NAME)] == [("add", "v2")]


def test_a_verdict_that_cannot_be_recorded_places_nothing(store, candidate):
    with pytest.raises(TypeError):
        store.add_candidate(NAME, candidate(), {"dice": object()})
    assert len(store.versions(NAME)) == 1


def test_an_event_with_a_missing_number_is_listed_once(store, candidate):
    store.add_candidate(NAME, candidate(), {"hd95_mm": float("nan")})
    assert len(store.history(NAME)) == 1
    store.promote(NAME, "v2", note="line\u2028separator")
    assert [e.action for e in store.history(NAME)] == ["add", "promote"]


def test_a_torn_last_line_of_the_log_does_no_harm(store, candidate, private_home):
    store.add_candidate(NAME, candidate(), VERDICT)
    log = private_home / "models" / NAME / "history.jsonl"
    with log.open("a") as file:
        file.write('{"time": "2026')
    store.promote(NAME, "v2")
    assert [e.action for e in store.history(NAME)] == ["add", "promote"]


def test_a_damaged_state_is_not_taken_for_a_new_one(store, candidate, private_home):
    store.add_candidate(NAME, candidate(), VERDICT)
    store.promote(NAME, "v2")
    (private_home / "models" / NAME / "state.json").write_text('{"format": 1, "current"')
    with pytest.raises(InputError, match="cannot be read"):
        store.current(NAME)
    with pytest.raises(InputError, match="cannot be read"):
        store.rollback(NAME)


def test_an_interrupted_copy_is_no_version(store, candidate, private_home):
    store.add_candidate(NAME, candidate(), VERDICT)
    shutil.copytree(store.open("tiny-brain@v2").path, private_home / "models" / NAME / "versions" / ".abc-v3")
    assert [info.version for info in store.versions(NAME)] == ["v1", "v2"]


_ADD = """
import sys
from pathlib import Path
from convnextseg_engine.models.store import ModelStore
store = ModelStore(bundled=Path(sys.argv[1]))
for folder in sys.argv[2:]:
    version = store.add_candidate("tiny-brain", Path(folder), {"outcome": folder})
    store.promote("tiny-brain", version)
"""


def test_two_processes_that_add_at_once_get_different_versions(store, candidate, bundled, repository):
    environment = os.environ | {"PYTHONPATH": str(repository / "ConvNeXtSeg")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _ADD, str(bundled), *(str(candidate()) for _ in range(4))], env=environment
        )
        for _ in range(2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    assert [info.version for info in store.versions(NAME)] == [f"v{n}" for n in range(1, 10)]
    events = store.history(NAME)
    assert len(events) == 16
    promoted = [e for e in events if e.action == "promote"]
    assert [e.previous for e in promoted] == ["v1", *(e.version for e in promoted[:-1])]
    assert store.current(NAME) == promoted[-1].version
    assert all(ModelFolder.open(info.path) for info in store.versions(NAME))
