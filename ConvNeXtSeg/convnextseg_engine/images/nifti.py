"""Whether a NIfTI file is complete. ITK reads a truncated one without a word and invents the missing voxels."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

from ..errors import InputError

_CHUNK = 1 << 22


def check_nifti_complete(path: Path) -> None:
    """Refuse a ``.nii`` or ``.nii.gz`` file that holds fewer bytes than its header says, or a damaged gzip stream.

    A gzip stream is read through to its checksum (about 0.1 s for a brain volume).
    """
    with path.open("rb") as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as file:
            header = file.read(544)
            size = len(header)
            while chunk := file.read(_CHUNK):
                size += len(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, f"Its compressed content ends early or is damaged ({error})") from error
    expected = _expected_bytes(header)
    if expected is not None and size < expected:
        raise _damaged(path, f"It holds {size} bytes of the {expected} that its header announces")


def _expected_bytes(header: bytes) -> int | None:
    """Return how long the file must be, or None if this is not the header of a NIfTI-1 or NIfTI-2 file."""
    for order in "<>":
        if len(header) >= 348 and struct.unpack_from(f"{order}i", header)[0] == 348:
            dim = struct.unpack_from(f"{order}8h", header, 40)
            bits, offset = (
                struct.unpack_from(f"{order}h", header, 72)[0],
                struct.unpack_from(f"{order}f", header, 108)[0],
            )
        elif len(header) >= 540 and struct.unpack_from(f"{order}i", header)[0] == 540:
            dim = struct.unpack_from(f"{order}8q", header, 16)
            bits, offset = (
                struct.unpack_from(f"{order}h", header, 14)[0],
                struct.unpack_from(f"{order}q", header, 168)[0],
            )
        else:
            continue
        return int(offset) + math.prod(max(1, n) for n in dim[1 : 1 + dim[0]]) * bits // 8
    return None


def _damaged(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path.name} cannot be read: the file is not complete.", reason=f"{reason}.",
        remedy="Copy or export it again from its source.", code="truncated",
    )  # fmt: skip
