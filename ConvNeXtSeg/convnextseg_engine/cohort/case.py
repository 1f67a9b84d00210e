"""One study of a cohort: a name for its results, and which file is which channel."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

_UNSAFE = re.compile(r"[^\w.-]+")
# Windows takes these for devices, with any ending.
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$")


@dataclass(frozen=True)
class CohortCase:
    """A study that is to be segmented.

    Attributes:
        id: Names its folder of results; see :func:`safe_id`.
        channels: Channel name to file, or to a folder with one DICOM series (``FOLDER#UID`` chooses among several).
        reference: Channel on whose grid the result lies.
        problem: Why it cannot be run as it is, in plain words; empty if it can.
        notes: How the channels were recognised, one sentence each.
        brain_mask: File of the case's own brain mask; empty without.
    """

    id: str
    channels: dict[str, str] = field(default_factory=dict)
    reference: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()
    brain_mask: str = ""

    def fingerprint(self) -> str:
        """Return what tells whether the case's files are still those that a result was made from.

        It is made of names, sizes and times of change, not of content: a cohort can be a terabyte.
        """
        digest = hashlib.sha256()
        mask = {"brain mask": self.brain_mask} if self.brain_mask else {}
        for name, text in sorted((self.channels | mask).items()):
            place = file_of(text)
            files = sorted(f for f in place.iterdir() if f.is_file()) if place.is_dir() else [place]
            for file in files:
                state = file.stat()
                digest.update(f"{name}|{file.name}|{state.st_size}|{state.st_mtime_ns}\n".encode())
        digest.update(self.reference.encode())
        return digest.hexdigest()


def file_of(text: str) -> Path:
    """Return the file or folder that a channel names; a series' UID behind “#” is left out."""
    if exists(Path(text)):
        return Path(text)
    return Path(text.rpartition("#")[0] or text)


def exists(path: Path) -> bool:
    """Say whether there is such a file or folder; a name that the system refuses (too long, say) is none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def safe_id(text: str) -> str:
    """Return ``text`` as a name that every file system takes for a folder."""
    name = _UNSAFE.sub("-", text.replace("\\", "/").strip("/ .")).strip("-.")[:120].rstrip("-.") or "case"
    return f"case-{name}" if _DEVICE.match(name) else name
