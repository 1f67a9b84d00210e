"""CMake configures and installs the package tree, by rules as strict as Slicer's own macros."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSTALLED = "lib/Slicer-5.12/qt-scripted-modules"


@pytest.fixture(scope="module")
def cmake() -> str:
    """The cmake of the environment (pinned in requirements-test.txt), else the system's."""
    beside = Path(sys.executable).with_name("cmake")
    found = str(beside) if beside.exists() else shutil.which("cmake")
    assert found, "cmake is missing: python3 scripts/test.py installs it; otherwise run: pip install cmake"
    return found


def _configure(cmake: str, source: Path, build: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # Nothing is compiled here: neither make nor a compiler needs to be on the machine, any program stands in for them.
    generator = ["-G", "Unix Makefiles", f"-DCMAKE_MAKE_PROGRAM={sys.executable}"]
    skip_compilers = [f"-DCMAKE_{lang}_COMPILER={sys.executable}" for lang in ("C", "CXX")]
    skip_compilers += [f"-DCMAKE_{lang}_COMPILER_{what}=1" for lang in ("C", "CXX") for what in ("WORKS", "FORCED")]
    command = [cmake, "-S", source, "-B", build, f"-DSlicer_DIR={HERE / 'slicer_macros'}", *generator, *skip_compilers]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=False)


@pytest.fixture()
def tree(repository: Path, tmp_path: Path) -> Path:
    """A copy of what CMake reads, free to be broken."""
    copy = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(repository / "ConvNeXtSeg", copy / "ConvNeXtSeg", ignore=ignored)
    for name in ("CMakeLists.txt", "README.md", "LICENSE.txt"):
        shutil.copy2(repository / name, copy / name)
    return copy


def test_installed_tree_equals_the_module_folder(cmake: str, tree: Path, tmp_path: Path) -> None:
    build, target = tmp_path / "build", tmp_path / "installed"
    configured = _configure(cmake, tree, build, f"-DCMAKE_INSTALL_PREFIX={target}")
    assert configured.returncode == 0, configured.stderr
    installed = subprocess.run([cmake, "--install", build], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr

    source = tree / "ConvNeXtSeg"
    expected = {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()}
    del expected[Path("CMakeLists.txt")]
    found = {p.relative_to(target / INSTALLED): p.read_bytes() for p in (target / INSTALLED).rglob("*") if p.is_file()}
    assert found.keys() == expected.keys()
    assert found == expected


def test_slicers_unit_test_is_registered(cmake: str, tree: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    assert _configure(cmake, tree, build).returncode == 0
    registered = (build / "ConvNeXtSeg" / "CTestTestfile.cmake").read_text(encoding="utf-8")
    assert "py_ConvNeXtSeg" in registered
    assert "py_nomainwindow_ConvNeXtSeg" in registered


def test_dependency_on_the_pytorch_extension_is_written(cmake: str, tree: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    assert _configure(cmake, tree, build).returncode == 0
    assert "PyTorch" in (build / "ConvNeXtSegConfig.cmake").read_text(encoding="utf-8")


def test_missing_file_stops_the_configuration(cmake: str, tree: Path, tmp_path: Path) -> None:
    (tree / "ConvNeXtSeg" / "convnextseg_engine" / "errors.py").unlink()
    configured = _configure(cmake, tree, tmp_path / "build")
    assert configured.returncode != 0
    assert "errors.py" in configured.stderr


def test_unknown_keyword_stops_the_configuration(cmake: str, tree: Path, tmp_path: Path) -> None:
    path = tree / "ConvNeXtSeg" / "CMakeLists.txt"
    # Before SCRIPTS: behind a list's keyword every unknown word would count as one more file.
    path.write_text(
        path.read_text(encoding="utf-8").replace("  NAME ${MODULE_NAME}\n", "  NAME ${MODULE_NAME} ICON x.png\n")
    )
    configured = _configure(cmake, tree, tmp_path / "build")
    assert configured.returncode != 0
    assert re.search(r"Unknown\s+keywords", configured.stderr)
