"""Zip archives from elsewhere: what is refused before anything of them is read or unpacked."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .unsafe import DamagedCheckpoint

# Python keeps about 1 kB for each entry of the archive's list, which takes 46 bytes and a name in the file. Genuine
# checkpoints have some thousand entries of about 100 bytes.
_LONGEST_LIST = 2**19
# Weights hardly compress (random mantissas); texts do, but are small.
_MOST_UNPACKED, _SPARE_UNPACKED = 4, 64 * 2**20
_BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, ValueError, KeyError, EOFError,
    OverflowError, struct.error, zlib.error, OSError,
)  # fmt: skip


class _ShortReads(io.FileIO):
    """A file that refuses long reads until ``limit`` is lifted: ``zipfile`` reads a list of any length at once."""

    limit: int | None = None

    def read(self, size: int | None = -1) -> bytes:
        """Read as :class:`io.FileIO` does."""
        if self.limit is not None and size is not None and size > self.limit:
            raise zipfile.BadZipFile("its list of entries is longer than its content can need")
        return super().read(-1 if size is None else size)


@contextmanager
def opened_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose list of entries is trustworthy.

    Raises:
        DamagedCheckpoint: If it is no archive, names an entry twice, in another folder or by a link, is encrypted, or
            its entries together are longer than the file. What fails while the block reads is told likewise.
    """
    size = path.stat().st_size
    try:
        with _ShortReads(path) as file:
            file.limit = _LONGEST_LIST + size // 32
            with zipfile.ZipFile(file) as archive:
                file.limit = None
                _check(archive, size)
                yield archive
    except _BROKEN as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DamagedCheckpoint(path.name, f"As an archive it is broken: {first_line}.") from error


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Unpack an archive into a private temporary folder, which is gone when the block ends.

    Raises:
        DamagedCheckpoint: As :func:`opened_zip`, or if it would unpack to much more than its own size.
    """
    with opened_zip(path) as archive:
        declared = sum(entry.file_size for entry in archive.infolist())
        if declared > _MOST_UNPACKED * path.stat().st_size + _SPARE_UNPACKED:
            raise zipfile.BadZipFile(f"it would unpack to {declared} bytes, which no model of its size does")
    with tempfile.TemporaryDirectory(prefix="convnextseg-import-") as folder:
        with opened_zip(path) as archive:
            for entry in archive.infolist():
                _unpack(archive, entry, Path(folder))
        yield Path(folder)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    place = folder.joinpath(*PurePosixPath(entry.filename).parts)
    if entry.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as source, place.open("xb") as target:  # zipfile gives no more than the declared size
        shutil.copyfileobj(source, target)


def _check(archive: zipfile.ZipFile, size: int) -> None:
    seen: set[str] = set()
    packed = 0
    for entry in archive.infolist():
        name = entry.filename
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0"):
            raise zipfile.BadZipFile(f"its entry “{name[:80]}” would lie outside the folder that it is unpacked to")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise zipfile.BadZipFile(f"its entry “{name[:80]}” is a link or a device")
        if entry.flag_bits & 0x1:
            raise zipfile.BadZipFile(f"its entry “{name[:80]}” is encrypted")
        folded = "/".join(parts).casefold()  # two names that differ in case are one file on Windows and macOS
        if folded in seen:
            raise zipfile.BadZipFile(f"it has the entry “{name[:80]}” twice")
        seen.add(folded)
        packed += entry.compress_size
    if packed > size:
        raise zipfile.BadZipFile("its entries overlap")


def stored_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    """Return an entry that must not be compressed, for reading.

    Raises:
        zipfile.BadZipFile: If it is compressed: PyTorch never does that, and a compressed entry can unfold to any size.
    """
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise zipfile.BadZipFile(f"its entry “{entry.filename[:80]}” is compressed, which PyTorch never does")
    return io.BufferedReader(archive.open(entry))
