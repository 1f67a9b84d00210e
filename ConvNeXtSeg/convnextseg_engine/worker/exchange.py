"""Images between two processes: memory-mapped arrays in a private folder.

An array is written once as a ``.npy`` file and mapped by the other side, so a volume is never serialised into a
message. The folder is readable by its user only, and file names are random: neither name nor place tells whose
image it is. The folder's name carries the PID and start of the process that made it; the next start removes the
folders of processes that are gone.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConvNeXtSegError, InputError, ResourceError
from ..images.grid import Grid
from .identity import ProcessIdentity, identify, is_running

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_PREFIX = "convnextseg-exchange-"
_NAME = re.compile(re.escape(_PREFIX) + r"(?P<pid>\d+)-(?P<started>[0-9.]+)-[0-9a-f]{16}")


class Exchange:
    """A folder through which two processes hand each other arrays.

    Args:
        folder: An existing folder that belongs to this user and that nobody else can enter.

    Raises:
        InputError: If the folder does not exist or others could read it.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        _require_private(self.folder)

    @classmethod
    def create(cls, parent: str | Path | None = None) -> Exchange:
        """Make a new private folder, after removing those of processes that are gone.

        Args:
            parent: Where to make it; the system's folder for temporary files if None.
        """
        place = Path(parent if parent is not None else tempfile.gettempdir())
        sweep(place)
        owner = identify(os.getpid())
        if owner is None:
            raise RuntimeError("the system does not tell when this process started")
        folder = place / f"{_PREFIX}{owner.pid}-{owner.started}-{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        return cls(folder)

    def put_array(self, name: str, array: np.ndarray, grid: Grid | None = None) -> dict[str, Any]:
        """Write ``array`` and return the *arrayref* that the other side opens.

        Args:
            name: What it is, for error messages only; it is not written anywhere.
            array: Numbers or booleans; with a grid its last three axes are ``(D, H, W)``.
            grid: Where the voxels lie.

        Raises:
            ResourceError: If the disk is full.
        """
        if grid is not None and array.shape[-3:] != grid.shape:
            raise ValueError(f"{name}: an array of shape {array.shape} does not fit a grid of shape {grid.shape}")
        if array.dtype.hasobject:
            raise ValueError(f"{name}: an array of Python objects cannot be shared")
        path = self.folder / f"{secrets.token_hex(8)}.npy"
        try:
            with os.fdopen(os.open(path, _CREATE, 0o600), "wb") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise ResourceError(
                "An image could not be written to the folder for temporary files.",
                reason=f"{name}, {array.nbytes / 1e6:.0f} MB: {error.strerror or error}.",
                remedy=f"Free some space where {self.folder.parent} lies, then try again.",
                code="exchange-full",
            ) from error
        return {"path": str(path), "grid": None if grid is None else grid.to_dict()}

    def open_array(self, ref: Mapping[str, Any]) -> tuple[np.memmap, Grid | None]:
        """Map the array of an arrayref.

        Returns:
            The array, copy on write (the file stays as it is), and its grid, None if it was put without one.

        Raises:
            InputError: If the file lies outside the folder, is gone, or does not fit its grid.
        """
        path = self._inside(ref)
        try:
            array = np.load(path, mmap_mode="c", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise _unusable(f"{type(error).__name__}: {error}") from error
        grid = None if ref.get("grid") is None else Grid.from_dict(ref["grid"])
        if grid is not None and array.shape[-3:] != grid.shape:
            raise _unusable(f"its shape is {array.shape}, its grid says {grid.shape}")
        return array, grid

    def discard(self, ref: Mapping[str, Any]) -> None:
        """Delete the file of an arrayref; on Windows one that is still mapped stays until :meth:`close`."""
        try:
            self._inside(ref).unlink(missing_ok=True)
        except PermissionError:
            return

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _inside(self, ref: Mapping[str, Any]) -> Path:
        path = Path(str(ref.get("path", "")))
        if path.parent.resolve() != self.folder.resolve() or path.suffix != ".npy" or path.is_symlink():
            raise _unusable("it does not lie in the folder that both processes share")
        return path


def sweep(parent: str | Path) -> list[Path]:
    """Remove the exchange folders in ``parent`` whose processes are gone; return what was removed.

    Only folders that carry our name, belong to this user and are no links are looked at.
    """
    removed = []
    for folder in sorted(Path(parent).glob(f"{_PREFIX}*")):
        match = _NAME.fullmatch(folder.name)
        if match is None or not _is_own_folder(folder):
            continue
        if not is_running(ProcessIdentity(int(match["pid"]), match["started"])):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder)
    return removed


def _is_own_folder(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (os.name == "nt" or status.st_uid == os.geteuid())


def _require_private(folder: Path) -> None:
    if not _is_own_folder(folder):
        why = "it does not exist or belongs to somebody else"
    elif os.name != "nt" and stat.S_IMODE(folder.lstat().st_mode) & 0o077:
        why = "others could read it"
    else:
        return
    raise InputError(
        "The folder for exchanging images cannot be used.", reason=f"{folder}: {why}.",
        remedy="Start again; a new private folder is made.", code="exchange-folder",
    )  # fmt: skip


def _unusable(why: str) -> ConvNeXtSegError:
    return InputError(
        "An image did not arrive at the worker.", reason=f"Its file cannot be used: {why}.",
        remedy="Start again; if it happens again, please report it.", code="exchange-file",
    )  # fmt: skip
