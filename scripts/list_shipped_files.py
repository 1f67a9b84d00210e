"""Keep the list of shipped files in ConvNeXtSeg/CMakeLists.txt equal to the disk: checks, or writes with ``--write``.

Slicer ships only what the module's CMakeLists.txt names, so a file that is missing there is missing in the installed
extension. Everything under ``ConvNeXtSeg/`` ships, apart from CMake's own files and what Python and pip leave behind.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE = "ConvNeXtSeg"
_NOT_SHIPPED = ("__pycache__", ".egg-info")


def shipped_files(root: Path = ROOT) -> tuple[list[str], list[str]]:
    """Return the scripts and the resources of the module folder, relative to it, sorted, with ``/``."""
    module = root / MODULE
    files = sorted(
        path.relative_to(module).as_posix()
        for path in module.rglob("*")
        if path.is_file() and path.name != "CMakeLists.txt" and not _left_behind(path.relative_to(module))
    )
    scripts = [name for name in files if name.endswith(".py")]
    return scripts, [name for name in files if not name.endswith(".py")]


def _left_behind(path: Path) -> bool:
    return any(part.startswith(".") or part.endswith(_NOT_SHIPPED) for part in path.parts)


def listed_files(root: Path = ROOT) -> tuple[list[str], list[str]]:
    """Return the scripts and the resources that the module's CMakeLists.txt names."""
    text = (root / MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    return _listed(text, "MODULE_PYTHON_SCRIPTS"), _listed(text, "MODULE_PYTHON_RESOURCES")


def _block(variable: str) -> re.Pattern[str]:
    return re.compile(rf"(?<=set\({variable}\n)(.*?)(?=^\s*\)$)", re.DOTALL | re.MULTILINE)


def _listed(text: str, variable: str) -> list[str]:
    found = _block(variable).search(text)
    return [line.strip() for line in found[1].splitlines() if line.strip()] if found else []


def write_list(root: Path = ROOT) -> None:
    """Put the files on disk into the module's CMakeLists.txt."""
    path = root / MODULE / "CMakeLists.txt"
    text = path.read_text(encoding="utf-8")
    names = zip(("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"), shipped_files(root), strict=True)
    for variable, files in names:
        lines = "".join(f"  {name}\n" for name in files)
        text = _block(variable).sub(lambda _, lines=lines: lines, text, count=1)
    path.write_text(text, encoding="utf-8", newline="\n")


def main() -> int:
    """Check or write the list; return 1 if a check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the list instead of checking it")
    if parser.parse_args().write:
        write_list()
        return 0
    differences = 0
    for on_disk, listed in zip(shipped_files(), listed_files(), strict=True):
        for name in sorted(set(on_disk) ^ set(listed)):
            differences += 1
            print(f"{name}: {'not listed in CMakeLists.txt' if name in on_disk else 'listed, but not on disk'}")
    if differences:
        print("Run: python3 scripts/list_shipped_files.py --write")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
