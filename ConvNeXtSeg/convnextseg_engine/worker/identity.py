"""Which process a PID means.

Systems reuse PIDs. A process is therefore known by its PID *and* the moment it started; only the pair is safe to
keep, to wait for and to kill. Everything comes from the operating system itself: /proc on Linux, libproc on macOS,
kernel32 on Windows.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessIdentity:
    """A process: its PID and an opaque token of when it started, comparable only on the same machine."""

    pid: int
    started: str


def identify(pid: int) -> ProcessIdentity | None:
    """Return who runs under ``pid`` now, or None if nobody does (a zombie, dead but not yet waited for, is nobody)."""
    if pid <= 0:
        return None
    if sys.platform == "win32":
        started = _windows_start(pid)
    elif sys.platform == "darwin":
        started = _macos_start(pid)
    else:
        started = _linux_start(pid)
    return None if started is None else ProcessIdentity(pid, started)


def is_running(process: ProcessIdentity) -> bool:
    """Say whether that very process still runs."""
    return identify(process.pid) == process


def group_members(group: int) -> list[int]:
    """Return the PIDs of the living processes of a Unix process group, in no particular order."""
    if sys.platform == "darwin":
        return [pid for pid in _macos_group(group) if identify(pid)]
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            fields = _linux_stat(int(entry.name))
            if fields is not None and fields[0] not in "ZX" and int(fields[2]) == group:
                members.append(int(entry.name))
    return members


def _linux_stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the third on (state, parent, group, …), or None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets and may itself hold blanks and brackets.
    return text[text.rindex(")") + 2 :].split()


def _linux_start(pid: int) -> str | None:
    fields = _linux_stat(pid)
    return None if fields is None or fields[0] in "ZX" else fields[19]


class _MacBsdInfo(ctypes.Structure):
    """``struct proc_bsdinfo`` of macOS's <sys/proc_info.h>, 136 bytes; only named where we read it."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("status", ctypes.c_uint32),
        ("unused", ctypes.c_uint32 * 10),
        ("names", ctypes.c_char * 48),
        ("unused_too", ctypes.c_uint32 * 6),
        ("start_seconds", ctypes.c_uint64),
        ("start_microseconds", ctypes.c_uint64),
    )


_MAC_PROC_PIDTBSDINFO = 3
_MAC_PROC_PGRP_ONLY = 2
_MAC_ZOMBIE = 5


@functools.cache
def _libproc() -> ctypes.CDLL:
    return ctypes.CDLL("/usr/lib/libproc.dylib", use_errno=True)


def _macos_start(pid: int) -> str | None:
    info = _MacBsdInfo()
    size = ctypes.sizeof(info)
    got = _libproc().proc_pidinfo(pid, _MAC_PROC_PIDTBSDINFO, ctypes.c_uint64(0), ctypes.byref(info), size)
    if got != size or info.status == _MAC_ZOMBIE:
        return None
    return f"{info.start_seconds}.{info.start_microseconds:06d}"


def _macos_group(group: int) -> list[int]:
    pids = (ctypes.c_int32 * 4096)()
    filled = _libproc().proc_listpids(_MAC_PROC_PGRP_ONLY, ctypes.c_uint32(group), pids, ctypes.sizeof(pids))
    return [pid for pid in pids[: max(filled, 0) // ctypes.sizeof(ctypes.c_int32)] if pid > 0]


_WINDOWS_QUERY_AND_SYNCHRONIZE = 0x1000 | 0x00100000
_WINDOWS_WAIT_TIMEOUT = 0x102


def _windows_start(pid: int) -> str | None:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(kernel.OpenProcess(_WINDOWS_QUERY_AND_SYNCHRONIZE, False, pid))
    if not handle:
        return None
    try:
        # A process that has ended keeps its PID while anyone holds a handle to it; only a wait tells.
        if kernel.WaitForSingleObject(handle, 0) != _WINDOWS_WAIT_TIMEOUT:
            return None
        created, *others = (ctypes.c_uint64() for _ in range(4))
        if not kernel.GetProcessTimes(handle, ctypes.byref(created), *map(ctypes.byref, others)):
            return None
        return str(created.value)
    finally:
        kernel.CloseHandle(handle)
