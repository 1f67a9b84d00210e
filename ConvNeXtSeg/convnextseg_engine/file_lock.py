"""A lock between processes, held by the operating system, so that it ends with the process that held it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

_POLL_S = 0.05


@contextmanager
def locked(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; it is created if missing and stays, empty.

    Args:
        path: Lock file; its folder must exist.
        timeout_s: Seconds to wait for whoever holds it.

    Raises:
        InputError: If another process still holds it after ``timeout_s``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise InputError(
                    f"Another process is changing {Path(path).parent.name}.",
                    reason=f"It has held its lock for more than {timeout_s:.0f} seconds.",
                    remedy="Wait until it is done, or close the other window of ConvNeXtSeg, and try again.",
                    code="locked",
                )
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            _unlock(descriptor)
    finally:
        os.close(descriptor)


if os.name == "nt":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
