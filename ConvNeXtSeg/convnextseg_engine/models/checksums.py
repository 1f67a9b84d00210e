"""``SHA256SUMS``: a list that says whether a model folder is whole, in the form of the ``sha256sum`` command."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ..durable import write_text
from ..errors import InputError

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
# Names that file managers leave in any folder that they show.
_DROPPINGS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_REMEDY = "Take the model folder from its source again."


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` for all other files of ``folder``."""
    files = sorted(file for file in folder.iterdir() if file.name not in {SUMS, *_DROPPINGS})
    write_text(folder / SUMS, "".join(f"{sha256_of(file)}  {file.name}\n" for file in files))


def read_sums(folder: Path) -> dict[str, str]:
    """Return file name to SHA-256; raises :class:`InputError` for a malformed list or a name that leaves the folder."""
    try:
        text = (folder / SUMS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The model folder {folder.name} has no readable {SUMS}.", reason="Nothing says whether it is whole.",
            remedy=_REMEDY, code="no-checksums",
        ) from error  # fmt: skip
    sums: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match or match[2] in sums:
            raise _refused(folder, f"{SUMS} has a line that cannot be read: “{line[:80]}”.")
        name = match[2]
        if name in {".", "..", SUMS} or any(character in name for character in "/\\:\0"):
            raise _refused(folder, f"{SUMS} names “{name[:80]}”, which is not a file of this folder.")
        sums[name] = match[1]
    return sums


def check_sums(folder: Path) -> None:
    """Refuse a folder with a file that is missing, changed or not listed; the message names it."""
    sums = read_sums(folder)
    for entry in sorted(folder.iterdir()):
        if entry.name not in sums and entry.name not in {SUMS, *_DROPPINGS}:
            raise _refused(folder, f"“{entry.name}” is not listed in {SUMS}.")
    for name, expected in sums.items():
        file = folder / name
        if not file.is_file():
            raise _refused(folder, f"The file {name} is missing.")
        if sha256_of(file) != expected:
            raise _refused(folder, f"The file {name} differs from what {SUMS} says: it was changed or damaged.")


def _refused(folder: Path, reason: str) -> InputError:
    return InputError(
        f"The model folder {folder.name} is not as it was made.", reason=reason, remedy=_REMEDY, code="bad-checksums"
    )
