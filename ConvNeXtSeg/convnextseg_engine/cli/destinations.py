"""Where results go: checked before any work is done, and nothing that exists is overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import DISK_FULL, InputError, ResourceError
from .named_files import given_path


def checked_destination(option: str, file: str, endings: Sequence[str], *, overwrite: bool) -> Path:
    """Return the path of a file to be written.

    Args:
        option: The option that it was given with.
        file: Path as given.
        endings: Allowed ends of its name, for example ``.seg.nrrd``.
        overwrite: Whether an existing file may be replaced.

    Raises:
        InputError: If the ending is not allowed, the file exists, or its folder can be neither used nor made.
    """
    path = given_path(option, file)
    if not any(path.name.endswith(ending) and len(path.name) > len(ending) for ending in endings):
        raise InputError(
            f"The name of {option} {file} does not say a format that can be written.",
            remedy=f"End it with {' or '.join(endings)}, in small letters.",
            code="unknown-extension",
        )
    if path.is_dir():
        raise InputError(f"{option} {file} is a folder.", remedy="Give the name of a file.", code="is-folder")
    if path.exists() and not overwrite:
        raise _exists(option, file)
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:  # a drive that is not there is its own parent
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(
            f"{option} {file} cannot be written.",
            reason=f"{folder} {_obstacle(folder)}.",
            remedy="Choose another folder.",
            code="not-writable",
        )
    return path


def _obstacle(folder: Path) -> str:
    if not folder.exists():
        return "does not exist"
    return "is not open for writing" if folder.is_dir() else "is a file, not a folder"


def check_distinct(destinations: dict[str, Path], sources: Iterable[Path]) -> None:
    """Refuse two results with one name, and a result that would replace an input even though overwriting is allowed."""
    taken = {path.resolve(): "an input" for path in sources}
    for option, path in destinations.items():
        place = path.resolve()
        if place in taken:
            raise InputError(
                f"{option} {path} is {taken[place]} too.",
                reason="One would replace the other.",
                remedy="Choose different names.",
                code="same-file",
            )
        taken[place] = f"the file for {option}"


@contextmanager
def writing(option: str, path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Make the folder of ``path`` and turn a refusal of the system to write there into plain words."""
    if path.exists() and not overwrite:
        raise _exists(option, str(path))  # it appeared during the work
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except OSError as error:
        if error.errno in DISK_FULL:
            raise ResourceError(
                f"{option} {path} could not be written: the disk is full.",
                remedy="Make room and run the command again.",
                code="disk-full",
            ) from error
        raise InputError(
            f"{option} {path} could not be written.",
            reason=f"{error.strerror or error}.",
            remedy="Choose another folder and run the command again.",
            code="not-writable",
        ) from error


def _exists(option: str, file: str) -> InputError:
    return InputError(
        f"{option} {file} exists already.",
        remedy="Choose another name, or add --overwrite to replace it.",
        code="exists",
    )
