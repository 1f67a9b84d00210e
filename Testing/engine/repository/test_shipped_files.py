"""What ships: every file of the module folder is listed, none twice, and none is too large or in the wrong place."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

MEBIBYTE = 2**20


@pytest.fixture(scope="module")
def lister() -> ModuleType:
    path = Path(__file__).resolve().parents[3] / "scripts" / "list_shipped_files.py"
    spec = importlib.util.spec_from_file_location("list_shipped_files", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cmake_lists_equal_the_files_on_disk(lister: ModuleType) -> None:
    assert lister.listed_files() == lister.shipped_files(), "run: python3 scripts/list_shipped_files.py --write"


def test_an_unlisted_and_a_vanished_file_are_noticed(lister: ModuleType, tmp_path: Path) -> None:
    module = tmp_path / "ConvNeXtSeg"
    (module / "__pycache__").mkdir(parents=True)
    (module / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"")
    (module / "a.py").write_text("")
    (module / "a.json").write_text("{}")
    text = "set(MODULE_PYTHON_SCRIPTS\n  )\n\nset(MODULE_PYTHON_RESOURCES\n  gone.png\n  )\n"
    (module / "CMakeLists.txt").write_text(text)

    assert lister.listed_files(tmp_path) == ([], ["gone.png"])
    assert lister.shipped_files(tmp_path) == (["a.py"], ["a.json"])
    lister.write_list(tmp_path)
    assert lister.listed_files(tmp_path) == (["a.py"], ["a.json"])
    lister.write_list(tmp_path)
    assert (module / "CMakeLists.txt").read_text() == text.replace("SCRIPTS\n", "SCRIPTS\n  a.py\n").replace(
        "gone.png", "a.json"
    )


def test_only_the_module_file_lies_directly_in_the_module_folder(repository: Path) -> None:
    # Slicer takes every .py there for a module of its own.
    assert [path.name for path in (repository / "ConvNeXtSeg").glob("*.py")] == ["ConvNeXtSeg.py"]


def test_sizes_suit_a_repository_that_is_cloned_for_every_build(lister: ModuleType, repository: Path) -> None:
    sizes = {
        name: (repository / "ConvNeXtSeg" / name).stat().st_size for names in lister.shipped_files() for name in names
    }
    assert not {name: size for name, size in sizes.items() if size > 9 * MEBIBYTE}
    assert sum(size for name, size in sizes.items() if name.endswith(".safetensors")) <= 15 * MEBIBYTE
