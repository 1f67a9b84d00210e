"""What a path holds: which of the readers takes it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from . import monai_bundle, nnunet_v1, nnunet_v2, state_file
from .answers import ImportAnswers
from .archives import opened_zip, unpacked
from .imported import ImportedModel


@dataclass(frozen=True)
class SourceKind:
    """A kind of foreign model.

    Attributes:
        title: For people.
        read: Reads it.
    """

    title: str
    read: Callable[[Path, ImportAnswers], ImportedModel]


# A results folder of nnU-Net also holds files of weights, so folders come first.
_READERS = {
    "an nnU-Net v2 results folder": nnunet_v2,
    "an nnU-Net v1 (or MedNeXt) results folder": nnunet_v1,
    monai_bundle.KIND: monai_bundle,
    state_file.KIND: state_file,
}


def what_is(path: Path, given: Path | None = None) -> SourceKind:
    """Return which kind of foreign model lies at ``path``.

    Args:
        path: Folder or file.
        given: What the user gave, if ``path`` is where that archive was unpacked: errors name it.

    Raises:
        InputError: If nothing is there, or nothing that can be read.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {path}.", remedy="Check the path.", code="no-file")
    for kind, reader in _READERS.items():
        if reader.matches(path):
            return SourceKind(kind, reader.read)
    raise InputError(
        f"{(given or path).resolve().name} is no foreign model that can be read.",
        reason=f"What can be read: {', '.join(_READERS)}; folders also as a .zip archive.",
        remedy="Give the folder that holds all of the model: for nnU-Net the one with the fold_* folders, for a MONAI "
        "bundle the one with configs and models.",
        code="unknown-source",
    )


@contextmanager
def source(path: Path) -> Iterator[Path]:
    """Give the folder or file to read; an archive of a folder is unpacked to a temporary folder for the block.

    Raises:
        DamagedCheckpoint: If an archive is broken or hostile: see ``archives.py``.
    """
    if not path.is_file() or not zipfile.is_zipfile(path) or _is_torch_file(path):
        yield path
        return
    with unpacked(path) as folder:
        yield _whole(folder)


def _whole(folder: Path) -> Path:
    """Return the folder within that a reader takes: archives often hold one folder in which everything lies."""
    inside = folder
    while True:
        if any(reader.matches(inside) for reader in _READERS.values()):
            return inside
        entries = [entry for entry in inside.iterdir() if entry.name not in ("__MACOSX", ".DS_Store")]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        inside = entries[0]


def _is_torch_file(path: Path) -> bool:
    with opened_zip(path) as archive:
        return any(name.count("/") == 1 and name.endswith("/data.pkl") for name in archive.namelist())
