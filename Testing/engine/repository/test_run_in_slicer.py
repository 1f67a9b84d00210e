"""``run_in_slicer.py`` against a fake Slicer: every way a run can end becomes the right pass or fail."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Understands the options that the real executable understands, and refuses others.
FAKE_SLICER = """#!{python}
import argparse, runpy, sys, types
parser = argparse.ArgumentParser()
for flag in ("--testing", "--no-main-window", "--no-splash", "--ignore-slicerrc"):
    parser.add_argument(flag, action="store_true", required=True)
parser.add_argument("--additional-module-paths", required=True)
parser.add_argument("--python-script", required=True)
arguments = parser.parse_args()
sys.path.insert(0, arguments.additional_module_paths)
slicer = types.ModuleType("slicer")
slicer.modules = types.SimpleNamespace({modules})
slicer.app = types.SimpleNamespace(applicationVersion="5.12.3")
slicer.util = types.SimpleNamespace(exit=sys.exit)
sys.modules["slicer"] = slicer
print("Slicer's own chatter")
runpy.run_path(arguments.python_script, run_name="__main__")
"""

PASSING = "import unittest\nclass Passing(unittest.TestCase):\n    def test_one(self):\n        self.assertTrue(True)\n"
FAILING = """import unittest
class Failing(unittest.TestCase):
    def test_two(self):
        self.assertEqual(1, 2)
    def test_parts(self):
        with self.subTest(part="left"):
            self.assertEqual(3, 4)
"""
CRASHING = "import os, unittest\nclass Crashing(unittest.TestCase):\n    def test_three(self):\n        os._exit(0)\n"
HANGING = "import time, unittest\nclass Hanging(unittest.TestCase):\n    def test_four(self):\n        time.sleep(60)\n"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake Slicer is a script with a #! line")


def _run(repository: Path, tmp_path: Path, *tests: str, modules: str = "convnextseg=1", timeout: float = 30):
    selftest = tmp_path / "module" / "ConvNeXtSegLib" / "selftest"
    selftest.mkdir(parents=True)
    shipped = repository / "ConvNeXtSeg" / "ConvNeXtSegLib" / "selftest" / "__init__.py"
    (selftest / "__init__.py").write_text(shipped.read_text(encoding="utf-8"))
    (selftest.parent / "__init__.py").write_text("")
    for number, test in enumerate(tests):
        (selftest / f"part_{number}.py").write_text(test)
    slicer = tmp_path / "Slicer"
    slicer.write_text(FAKE_SLICER.format(python=sys.executable, modules=modules))
    slicer.chmod(0o755)
    command = [
        sys.executable, repository / "scripts" / "run_in_slicer.py",
        "--slicer", tmp_path, "--module-folder", tmp_path / "module", "--timeout", str(timeout),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_tests_pass(repository: Path, tmp_path: Path) -> None:
    result = _run(repository, tmp_path, PASSING)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Slicer 5.12.3: 2 passed, 0 failed." in result.stdout


def test_a_failing_test_fails_the_run_and_is_named(repository: Path, tmp_path: Path) -> None:
    result = _run(repository, tmp_path, PASSING, FAILING)
    assert result.returncode == 1
    assert "FAILED   ConvNeXtSegLib.selftest.part_1.Failing.test_two" in result.stdout
    assert "1 != 2" in result.stdout
    assert "Failing.test_parts" in result.stdout and "3 != 4" in result.stdout
    assert "Slicer ended while" not in result.stdout


def test_a_crash_is_a_failure_even_with_status_zero(repository: Path, tmp_path: Path) -> None:
    result = _run(repository, tmp_path, PASSING, CRASHING)
    assert result.returncode == 1
    assert "Crashing.test_three: Slicer ended while it ran" in result.stdout
    assert "before the self-tests were done" in result.stdout


def test_a_run_that_hangs_is_killed_and_fails(repository: Path, tmp_path: Path) -> None:
    result = _run(repository, tmp_path, HANGING, timeout=3)
    assert result.returncode == 1
    assert "did not end within 3 s" in result.stdout
    assert "Hanging.test_four" in result.stdout


def test_a_module_that_slicer_did_not_load_fails(repository: Path, tmp_path: Path) -> None:
    result = _run(repository, tmp_path, PASSING, modules="")
    assert result.returncode == 1
    assert "Slicer did not load the module ConvNeXtSeg" in result.stdout


def test_a_self_test_that_cannot_be_imported_fails(repository: Path, tmp_path: Path) -> None:
    result = _run(repository, tmp_path, "import a_module_that_does_not_exist\n")
    assert result.returncode == 1
    assert "a_module_that_does_not_exist" in result.stdout


def test_no_slicer_there_is_said_in_plain_words(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, repository / "scripts" / "run_in_slicer.py", "--slicer", tmp_path / "nowhere"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("There is no Slicer at")


def test_the_shipped_self_tests_are_found(repository: Path) -> None:
    folder = repository / "ConvNeXtSeg" / "ConvNeXtSegLib" / "selftest"
    classes = [
        node.name
        for path in folder.glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and any("Test" in ast.unparse(base) for base in node.bases)
    ]
    assert classes
