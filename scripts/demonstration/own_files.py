"""What the demonstration wrote into its output folder, so that it replaces that and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from convnextseg_engine.durable import write_json

_RECORD = ".written-by-the-demo.json"


class OwnFiles:
    """Knows, by content, which files in a folder the demonstration wrote.

    A file that somebody has changed since, or that was never the demonstration's, is set aside under a new name before
    its place is needed. Nothing is deleted.
    """

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._path = folder / _RECORD
        self._written = json.loads(self._path.read_text(encoding="utf-8")) if self._path.is_file() else {}

    def free(self, *names: str) -> None:
        """Make sure that the demonstration may replace these files."""
        for name in names:
            path = self.folder / name
            if path.exists() and self._written.get(name) != _hash(path):
                aside = _free_name(path)
                path.rename(aside)
                print(f"{path.name} was not as the demonstration left it; it is kept as {aside.name}.")

    def record(self, *names: str) -> None:
        """Note that these files are the demonstration's, as they are now."""
        self._written |= {name: _hash(self.folder / name) for name in names}
        write_json(self._path, self._written)


def new_folder(wanted: Path) -> Path:
    """Make and return ``wanted``, or ``wanted-2``, ``wanted-3``, … if that exists."""
    folder, number = wanted, 2
    while folder.exists():
        folder, number = wanted.with_name(f"{wanted.name}-{number}"), number + 1
    folder.mkdir(parents=True)
    return folder


def _free_name(path: Path) -> Path:
    stem, dot, ending = path.name.partition(".")
    number = 1
    while (aside := path.with_name(f"{stem}-kept-{number}{dot}{ending}")).exists():
        number += 1
    return aside


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
