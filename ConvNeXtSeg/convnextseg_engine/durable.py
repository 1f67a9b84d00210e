"""Writing files so that a crash, a full disk or a second process never leaves half of one.

Everything is written under a temporary name beside its place, flushed to the disk, then renamed: a reader sees the
old file or the new one.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; rename it to ``path`` when the block ends well.

    The temporary name ends as ``path`` does (``.seg.nrrd``, ``.nii.gz``), because writers choose the format by it. If
    the block raises, the temporary file is removed and ``path`` is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(6)}-{path.name}")
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_to_disk(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 with Unix line ends (checksums must not depend on the system)."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, data: Any) -> None:
    """Write ``data`` as indented JSON."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def append_line(path: Path, line: str) -> None:
    """Append one line to a log; a line that a crash cut short before is closed first, so that it spoils only itself."""
    with Path(path).open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        torn = False
        if end:
            file.seek(end - 1)
            torn = file.read(1) != b"\n"
        file.write((b"\n" if torn else b"") + line.encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def flush_to_disk(path: Path) -> None:
    """Ask the system to bring a file, or the entries of a folder, to the disk."""
    is_folder = Path(path).is_dir()
    if is_folder and os.name == "nt":
        return  # Windows cannot open a folder for flushing; NTFS journals the entry itself.
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def place_folder(temporary: Path, place: Path) -> None:
    """Rename a finished folder to its place, which must not exist yet.

    Raises:
        FileExistsError: If something lies there already; both are left as they were.
    """
    if place.exists():
        raise FileExistsError(place)
    for file in temporary.rglob("*"):
        if file.is_file() and os.access(file, os.W_OK):
            flush_to_disk(file)
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(place)
    flush_to_disk(place.parent)
