"""The tree itself: names that say something, no traces of anyone's machine, no large files, JSON that parses."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from engine.repository.source_tree import repository_files, text_of

MEBIBYTE = 2**20
# Names that say nothing about what is inside. Slicer's own classes are called managers, and so are their stand-ins.
EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|common|stuff)(_|\.|$)", re.IGNORECASE)
# A home folder, a Windows user folder, a path into a temporary or mounted place, a file URL, credentials in a URL.
MACHINE_PATHS = re.compile(
    r"(?<![\w.])/(?:home|Users|root|work|opt|mnt|srv)/[A-Za-z0-9_.]+|[A-Z]:\\\\?Users\\|file:///[a-z]|://[^/\s\"']+:[^/\s\"']+@"
)


@pytest.fixture(scope="module")
def files() -> list[Path]:
    found = repository_files(Path(__file__).resolve().parents[3])
    assert len(found) > 50
    return found


def test_no_file_is_named_after_nothing(files: list[Path]) -> None:
    assert not [path for path in files if EMPTY_NAMES.search(path.stem) and path.parent.name != "standins"]


def test_no_file_is_too_large(files: list[Path]) -> None:
    assert not [path for path in files if path.stat().st_size > 9 * MEBIBYTE]


def test_no_path_of_anyones_machine_is_written_down(files: list[Path], repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}:{number}: {line.strip()[:120]}"
        for path in files
        if path != Path(__file__) and (text := text_of(path))
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert not found, "\n".join(found)


def test_requirements_are_exact_pins_and_name_no_index(repository: Path) -> None:
    lists = sorted((repository / "scripts").glob("requirements-*.txt"))
    assert [path.stem.removeprefix("requirements-") for path in lists] == ["reference", "runtime", "test", "torch"]
    pins: dict[str, str] = {}
    for path in lists:
        for line in path.read_text(encoding="utf-8").splitlines():
            requirement = line.split("#")[0].strip()
            if requirement:
                assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", requirement), f"{path.name}: {line}"
                name, version = requirement.split("==")
                assert name.lower() not in pins, f"{name} is pinned twice"
                pins[name.lower()] = version
    assert pins["torch"] == "2.13.0"


def test_python_and_json_files_parse(files: list[Path]) -> None:
    for path in files:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        elif path.suffix == ".py":
            ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_test_files_have_unique_names(files: list[Path]) -> None:
    names = [path.name for path in files if "Testing" in path.parts and path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_line_ends_are_unix(files: list[Path]) -> None:
    assert not [path for path in files if text_of(path) is not None and b"\r\n" in path.read_bytes()]


def test_code_has_no_unfinished_ends(files: list[Path], repository: Path) -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    found = [
        f"{path.relative_to(repository)}:{number}"
        for path in files
        if path.suffix == ".py" and path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if marks.search(line)
    ]
    assert not found
