"""Plant a fault in a copy of the source and run the tests that must notice it.

A test that stays green while the product is broken is worse than none. Each :class:`Fault` names one thing that must
never go wrong, breaks it by replacing a piece of source text, and names tests of which at least one must turn red.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# pytest's exit statuses: 0 all passed, 1 some failed; anything else means that the run itself is broken.
_PASSED, _FAILED = 0, 1


@dataclass(frozen=True)
class Fault:
    """One thing broken on purpose.

    Attributes:
        name: What is broken, in words.
        file: The source file, relative to the checkout.
        old: A piece of its text; it must occur exactly once.
        new: What stands there instead.
        tests: pytest selections, relative to the checkout. At least one must fail; that they pass on the intact source
            is what the rest of the suite shows.
        needs_shared: Whether those tests compare with the shared material, and would be skipped without it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    needs_shared: bool = False


class CannotPlant(Exception):
    """The fault's text is not in the source (any more): the list of faults must follow the source."""


def copied_checkout(repository: Path, target: Path) -> Path:
    """Copy what the tests need: the module folder, the tests, the scripts, and the settings of pytest."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("ConvNeXtSeg", "Testing", "scripts", "docs"):
        shutil.copytree(repository / name, target / name, ignore=ignored)
    shutil.copy2(repository / "pyproject.toml", target / "pyproject.toml")
    return target


@contextmanager
def planted(fault: Fault, checkout: Path) -> Iterator[None]:
    """Break the copy for the time of the block; raises :class:`CannotPlant` unless the text occurs exactly once."""
    path = checkout / fault.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(fault.old) != 1 or fault.old == fault.new:
        raise CannotPlant(
            f"“{fault.name}”: its text occurs {text.count(fault.old)} times in {fault.file}, not once. "
            f"Adapt the fault to the source.\n{fault.old}"
        )
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def run_tests(checkout: Path, tests: tuple[str, ...], shared: Path) -> tuple[bool, str]:
    """Run the tests on the copy, in a process of their own, with the shared images at ``shared``.

    Returns:
        Whether all passed, and what pytest printed.

    Raises:
        RuntimeError: pytest could not run the tests at all: a wrong name, or nothing was collected.
    """
    variables = {
        **os.environ,
        # The copy must win over the editable installation of the checkout, in workers that the tests start, too.
        "PYTHONPATH": os.pathsep.join([str(checkout / "ConvNeXtSeg"), str(checkout / "Testing")]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": "1",
        "CONVNEXTSEG_SHARED": os.environ.get("CONVNEXTSEG_SHARED", str(shared)),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--timeout=120", *tests]
    result = subprocess.run(
        command, cwd=checkout, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    said = result.stdout + result.stderr
    if result.returncode not in (_PASSED, _FAILED):
        raise RuntimeError(f"pytest ended with status {result.returncode}:\n{said}")
    return result.returncode == _PASSED, said
