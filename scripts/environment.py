"""Make the environment ``.venv`` in the checkout, with pinned packages; quick when it is already there.

Run directly, or through ``demo.py`` and ``test.py``, which call :func:`prepare`. Standard library only, and written so
that even an old Python can read it far enough to say that it is too old.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST_PYTHON = (3, 11)

# In the order of installation. torch comes first and alone: see requirements-torch.txt.
STEPS = {
    "torch": "about 0.9 GB on disk; on Linux the default build brings NVIDIA's libraries, several GB more",
    "runtime": "about 0.6 GB on disk",
    "test": "about 1.3 GB on disk",
    "reference": "about 0.3 GB on disk",
}
# Steps that only tests need, and those whose packages come without what they name as dependencies.
_FOR_TESTS, _WITHOUT_DEPENDENCIES = ("test", "reference"), ("reference",)


class SetUpProblem(Exception):
    """The environment could not be made; the text says what happened and what to do, in plain words."""


def prepare(tests: bool = False, torch_index: str | None = None) -> Path:
    """Make or complete ``.venv`` and return the path of its Python.

    Args:
        tests: Install what the tests need as well.
        torch_index: Address of a package index for torch alone, for example PyTorch's own index of CPU builds.

    Raises:
        SetUpProblem: Python is too old, ``.venv`` is something else, or pip could not install.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise SetUpProblem(
            "ConvNeXtSeg needs Python 3.11 or newer; this is Python {}.{}. Install a newer Python and start this "
            "script with it, for example: python3.12 scripts/demo.py".format(*sys.version_info[:2])
        )
    started = time.monotonic()
    worked = _make_virtual_environment()
    for step, cost in STEPS.items():
        if step in _FOR_TESTS and not tests:
            continue
        missing = _missing(_pins(step))
        if missing:
            print(f"Set-up: installing what is missing for “{step}”: {', '.join(missing)} ({cost}) …", flush=True)
            index = ["--index-url", torch_index] if step == "torch" and torch_index else []
            alone = ["--no-deps"] if step in _WITHOUT_DEPENDENCIES else []
            _pip(*index, *alone, "--requirement", str(_requirements(step)))
            worked = True
    if not _project_is_installed():
        print("Set-up: making the command convnextseg available …", flush=True)
        _pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        worked = True
    if worked:
        print(f"Set-up: .venv is ready after {time.monotonic() - started:.0f} s.", flush=True)
    return python()


def python() -> Path:
    """Return where the environment's Python lies."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _requirements(step: str) -> Path:
    return ROOT / "scripts" / f"requirements-{step}.txt"


def _make_virtual_environment() -> bool:
    """Create ``.venv`` unless a working one is there; say whether something was done."""
    if VENV.exists() and not (VENV / "pyvenv.cfg").is_file() and any(VENV.iterdir()):
        raise SetUpProblem(
            f"{VENV} exists and is not a Python environment. Move it out of the way and start again; "
            "it was left untouched."
        )
    if _works(python()) and _has_pip():
        return False
    print("Set-up: making the environment .venv …", flush=True)
    made = _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    if made.returncode != 0:
        # Debian and Ubuntu ship Python without ensurepip; a pip of the system can fill the environment just as well.
        made = _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)])
        filled = _run([sys.executable, "-m", "pip", "--python", str(python()), "install", "--quiet", "pip"])
        if made.returncode != 0 or filled.returncode != 0:
            raise SetUpProblem(
                "This Python cannot make environments: its module “venv” is incomplete. On Debian and Ubuntu install "
                "it with: sudo apt-get install python3-venv. Then start this script again."
            )
    return True


def _works(interpreter: Path) -> bool:
    """Say whether the interpreter runs and is new enough (it breaks when the Python it was made from goes away)."""
    code = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    return interpreter.is_file() and _run([str(interpreter), "-I", "-c", code]).returncode == 0


def _has_pip() -> bool:
    return "pip" in _installed()


def _site_packages() -> Path:
    if os.name == "nt":
        return VENV / "Lib" / "site-packages"
    found = sorted((VENV / "lib").glob("python3*/site-packages"))
    return found[-1] if found else VENV / "lib"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed() -> dict[str, str]:
    """Return versions by name of all completely installed packages.

    pip writes a package's RECORD last. Without it the installation was interrupted; pip would take such a package for
    installed, so its description is removed here and pip installs it again.
    """
    versions = {}
    for distribution in importlib.metadata.distributions(path=[str(_site_packages())]):
        folder = Path(distribution._path)  # type: ignore[attr-defined]  # no public way to the folder
        if folder.suffix == ".dist-info" and not (folder / "RECORD").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            continue
        versions[_normal(distribution.metadata["Name"])] = distribution.version.split("+")[0]
    return versions


def _pins(step: str) -> dict[str, str]:
    pins = {}
    for line in _requirements(step).read_text(encoding="utf-8").splitlines():
        requirement = line.split("#")[0].strip()
        if requirement:
            name, version = requirement.split("==")
            pins[_normal(name)] = version
    return pins


def _missing(pins: dict[str, str]) -> dict[str, str]:
    installed = _installed()
    return {name: version for name, version in pins.items() if installed.get(name) != version}


def _project_is_installed() -> bool:
    """Say whether the environment's ``convnextseg`` is an editable installation of this very checkout."""
    try:
        found = next(iter(importlib.metadata.distributions(name="convnextseg", path=[str(_site_packages())])))
        source = json.loads(found.read_text("direct_url.json") or "{}")
    except (StopIteration, ValueError):
        return False
    script = python().parent / ("convnextseg.exe" if os.name == "nt" else "convnextseg")
    return source.get("url") == ROOT.as_uri() and script.is_file() and bool(found.read_text("RECORD"))


def _pip(*arguments: str) -> None:
    """Run ``pip install`` with the user's own pip configuration; raise :class:`SetUpProblem` if it fails."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    fixed = ["--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    command = [str(python()), "-m", "pip", "install", *quiet, *fixed, *arguments]
    quieter = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PYTHONWARNINGS": "ignore"}
    result = subprocess.run(command, env=quieter, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if result.returncode == 0:
        return
    said = [line for line in result.stderr.splitlines() if line.strip()]
    if re.search(r"connection|timed? ?out|resolve|network|proxy", result.stderr, re.IGNORECASE):
        cause = "The package index could not be reached. Check the network (or pip's proxy and index settings)"
    elif re.search(r"no space left", result.stderr, re.IGNORECASE):
        cause = "The disk is full. Free some space"
    elif re.search(r"no matching distribution", result.stderr, re.IGNORECASE):
        cause = (
            "A pinned package does not exist for this Python ({}.{}) on this system, or the index was not reached. Try "
            "Python 3.11, 3.12 or 3.13".format(*sys.version_info[:2])
        )
    else:
        cause = "Read pip's last words below"
    raise SetUpProblem(
        f"pip could not install what is needed. {cause} and start this script again: it goes on where it stopped."
        + "".join(f"\n  pip: {line}" for line in said[-4:])
    )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def main() -> int:
    """Make the environment; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", action="store_true", help="install what the tests need as well")
    parser.add_argument("--torch-index", metavar="URL", help="package index for torch alone (e.g. CPU builds)")
    arguments = parser.parse_args()
    try:
        print(f"The environment's Python: {prepare(arguments.tests, arguments.torch_index)}")
    except SetUpProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
