"""Reading the checkout's own files: what git tracks or would track, and what a Python file imports."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path


def repository_files(repository: Path) -> list[Path]:
    """Return every file that is part of the repository (tracked, or new and not ignored)."""
    # A checkout that another user made (a container's mount) is readable, too.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout
    return [repository / name for name in listed.split("\0") if name and (repository / name).is_file()]


def text_of(path: Path) -> str | None:
    """Return a file's text, or None for a binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def imported_modules(path: Path, package_root: Path) -> Iterator[tuple[str, int]]:
    """Yield the full dotted name and the line of everything that a file imports, at any depth of its code.

    ``from a.b import c`` yields ``a.b.c``, since only the disk knows whether ``c`` is a module; relative imports are
    made absolute. Imports under ``if TYPE_CHECKING`` count as well: a type needed from across a door is a door, too.
    """
    package = path.relative_to(package_root).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            prefix = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((f"{prefix}.{alias.name}", node.lineno) for alias in node.names)
