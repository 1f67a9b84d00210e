"""Hostile files: nothing of them runs, nothing is written, memory stays small, the refusal names what was asked for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.checkpoints.hostile_files import BOMBS, CALLS, MIB, write_all

# What may be taken besides twice the file: CPython's and glibc's allocators keep freed blocks, and the list of what a
# pickle may build has 16 MiB to spare (checkpoints/pickle_machine.py). Measured: up to 14 MiB.
_INTERPRETER = 20 * MIB

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc")


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> dict[str, dict]:
    """What reading each hostile file did, in a process of its own with an empty folder, home and temporary folder."""
    folder = tmp_path_factory.mktemp("hostile")
    expected = write_all(folder)
    place = tmp_path_factory.mktemp("place")
    scratch = tmp_path_factory.mktemp("scratch")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(repository / "ConvNeXtSeg"), str(repository / "Testing")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(scratch),
        "CONVNEXTSEG_HOME": str(place / "home"),
        "OMP_NUM_THREADS": "1",
    }
    script = Path(__file__).parent / "watched_reading.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder)], cwd=place, env=environment, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = {entry["file"]: entry for entry in map(json.loads, done.stdout.splitlines())}
    assert set(told) == set(expected)
    left = [path for root in (place, scratch) for path in root.rglob("*")]
    assert not left, f"something was left behind: {left}"
    assert not list(folder.parent.rglob("SENTINEL")) and not Path("/tmp/convnextseg-outside.txt").exists()
    return told | {"expected": expected}


def test_every_hostile_file_ends_in_a_clear_error(attempts: dict[str, dict]) -> None:
    for name in attempts["expected"]:
        error = attempts[name]["error"]
        assert error not in (None, "traceback", "internal"), f"{name}: {attempts[name].get('text')}"


def test_no_process_is_started_and_nothing_is_written(attempts: dict[str, dict]) -> None:
    for name in attempts["expected"]:
        entry = attempts[name]
        assert (entry["processes"], entry["writes"], entry["children"]) == ([], [], []), name


def test_memory_stays_under_twice_the_file(attempts: dict[str, dict]) -> None:
    for name in attempts["expected"]:
        entry = attempts[name]
        assert entry["peak"] <= 2 * entry["size"] + _INTERPRETER, f"{name}: {entry['peak'] / MIB:.0f} MiB"


@pytest.mark.parametrize(("module", "name", "wanted"), CALLS)
@pytest.mark.parametrize("form", ["bare", "four", "legacy", "zip"])
def test_the_refusal_names_what_was_asked_for_and_how_to_convert(
    attempts: dict[str, dict], module: str, name: str, wanted: str, form: str
) -> None:
    entry = attempts[f"{module}.{name}.{form}.pth"]
    assert entry["error"] == "unsafe-checkpoint"
    assert entry["wanted"] == wanted and wanted in entry["text"]
    assert "safetensors" in entry["text"]


def test_all_bombs_were_tried(attempts: dict[str, dict]) -> None:
    assert set(BOMBS) <= set(attempts["expected"])
    assert sum(attempts[name]["size"] for name in BOMBS) > 20 * MIB


@pytest.mark.parametrize("name", ["expression.zip", "nested-target.zip", "foreign-target.zip", "foreign-module.zip"])
def test_a_bundles_configuration_is_never_evaluated(attempts: dict[str, dict], name: str) -> None:
    assert attempts[name]["error"] in ("not-plain", "unsafe-checkpoint", "bad-network")


def test_the_watcher_sees_what_it_watches_for(tmp_path: Path, repository: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "import os, subprocess, watched_reading as w\n"
        "sys.addaudithook(w._watch); w.watching = True\n"
        "os.system('true'); open('written', 'w').close(); os.open('made', os.O_CREAT | os.O_WRONLY)\n"
        "subprocess.run(['true']); w.watching = False\n"
        "print(w.seen)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(repository / "ConvNeXtSeg")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "os.system" in done.stdout and "subprocess.Popen" in done.stdout
    assert "written" in done.stdout and "made" in done.stdout
