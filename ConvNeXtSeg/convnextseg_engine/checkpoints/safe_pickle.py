"""Reading other people's pickles and PyTorch files through an allow-list.

Whatever asks for more than plain containers, numbers, texts, numpy arrays and tensors is refused with the name of what
it asked for; see ``pickle_machine.py`` for how, and ``allowed_names.py`` and ``torch_names.py`` for the list.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from ..errors import InputError
from .allowed_names import PLAIN_NAMES
from .archives import opened_zip, stored_entry
from .pickle_machine import Malformed
from .pickle_program import run_pickle
from .torch_names import storage_id, torch_names
from .unsafe import DamagedCheckpoint, UnsafeCheckpoint

# How torch.save began a file before version 1.6.
_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_PIECE = 2**20


def load_pickle(source: Path | bytes) -> Any:
    """Return the content of a bare pickle: plain containers, numbers, texts and (read-only) numpy arrays.

    Ordered dictionaries come as dictionaries, numpy scalars as Python's numbers.

    Raises:
        UnsafeCheckpoint: If it asks for anything beyond the allow-list; ``wanted`` is what it asked for.
        DamagedCheckpoint: If it is cut short or no pickle.
    """
    if isinstance(source, bytes):
        return _pickle_at(io.BytesIO(source), len(source), "that was given")
    path = _existing(source)
    with path.open("rb") as file:
        return _pickle_at(file, path.stat().st_size, path.name)


def load_torch(path: Path) -> Any:
    """Return the content of a file that ``torch.save`` wrote, of today's (zip) or the older form.

    Tensors are on the CPU, contiguous or not as they were saved; tensors that shared numbers share them again.

    Raises:
        UnsafeCheckpoint: If it asks for anything beyond the allow-list, or is a TorchScript program.
        DamagedCheckpoint: If it is cut short, contradicts itself, or is no PyTorch file.
    """
    path = _existing(path)
    with path.open("rb") as file:
        start = file.read(4)
    try:
        if start == b"PK\x03\x04":
            with opened_zip(path) as archive:
                return _from_zip(archive, path)
        if start and tarfile.is_tarfile(path):
            raise UnsafeCheckpoint(
                "a form that PyTorch gave up in 2017",
                "It is a tar archive, which only versions of PyTorch before 0.2 wrote.",
            )
        with path.open("rb") as file:
            return _from_legacy(file, path)
    except Malformed as error:
        raise DamagedCheckpoint(path.name, f"As a PyTorch file it is broken: {error}.") from error


def _pickle_at(file: BinaryIO, size: int, name: str) -> Any:
    try:
        return run_pickle(file, size, PLAIN_NAMES)
    except Malformed as error:
        raise DamagedCheckpoint(name, f"As a pickle it is broken: {error}.") from error


def _from_zip(archive: zipfile.ZipFile, path: Path) -> Any:
    entries = {entry.filename: entry for entry in archive.infolist()}
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in entries):
        raise UnsafeCheckpoint(
            "a TorchScript program",
            "Besides weights the file holds code that would run when it is opened; nothing of it was run.",
        )
    pickles = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise Malformed("it does not hold exactly one data.pkl")
    folder = pickles[0].partition("/")[0]
    order = entries.get(f"{folder}/byteorder")
    if order is not None and order.file_size < 16 and stored_entry(archive, order).read() != b"little":
        raise Malformed("its numbers have a byte order that is not read; save it again on another computer")
    loaded: dict[str, torch.Tensor] = {}

    def storage(identity: Any) -> torch.Tensor:
        dtype, key, count = storage_id(identity)
        if key not in loaded:
            entry = entries.get(f"{folder}/data/{key}")
            if entry is None or entry.file_size != count * dtype.itemsize:
                raise ValueError(f"the numbers “{key[:40]}” are missing or of another length")
            loaded[key] = torch.empty(count, dtype=dtype)
            with stored_entry(archive, entry) as file:
                _fill(loaded[key], file)
        if loaded[key].dtype != dtype or loaded[key].numel() != count:
            raise ValueError(f"the numbers “{key[:40]}” are described in two ways")
        return loaded[key]

    size = path.stat().st_size
    with stored_entry(archive, entries[pickles[0]]) as file:
        return run_pickle(file, entries[pickles[0]].file_size, torch_names(size), storage)


def _from_legacy(file: BinaryIO, path: Path) -> Any:
    size = path.stat().st_size
    first = run_pickle(file, size, torch_names(size))
    if first != _MAGIC:
        return first  # a plain pickle under a PyTorch name
    if run_pickle(file, size, PLAIN_NAMES) != _LEGACY_PROTOCOL:
        raise Malformed("it has an unknown version")
    system = run_pickle(file, size, PLAIN_NAMES)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Malformed("its numbers have a byte order that is not read; save it again on another computer")
    announced: dict[str, torch.Tensor] = {}
    left = size

    def storage(identity: Any) -> torch.Tensor:
        nonlocal left
        dtype, key, count = storage_id(identity)
        if key not in announced:
            left -= count * dtype.itemsize
            if left < 0:
                raise ValueError("more numbers are announced than the file can hold")
            announced[key] = torch.zeros(count, dtype=dtype)
        if announced[key].dtype != dtype or announced[key].numel() != count:
            raise ValueError(f"the numbers “{key[:40]}” are described in two ways")
        return announced[key]

    content = run_pickle(file, size, torch_names(size), storage)
    keys = run_pickle(file, size, PLAIN_NAMES)
    if not isinstance(keys, list) or len(keys) != len(announced) or set(map(str, keys)) != set(announced):
        raise Malformed("the list of its numbers is not that of its tensors")
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        if count != announced[key].numel():
            raise Malformed(f"the numbers “{str(key)[:40]}” are missing or of another length")
        _fill(announced[key], file)
    return content


def _fill(tensor: torch.Tensor, file: BinaryIO) -> None:
    """Read a tensor's numbers from the file, piece by piece."""
    target = memoryview(tensor.view(torch.uint8).numpy())
    for start in range(0, len(target), _PIECE):
        piece = file.read(min(_PIECE, len(target) - start))
        if len(piece) != min(_PIECE, len(target) - start):
            raise Malformed("it ends too early")
        target[start : start + len(piece)] = piece


def _existing(path: Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.", remedy="Check the path.", code="no-file")
    return path
