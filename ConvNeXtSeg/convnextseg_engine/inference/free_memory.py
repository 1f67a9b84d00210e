"""How much memory there is to take, on this computer and on its graphics processor."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# Linux's limits for a container or a batch job: the newer and the older kind.
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_host_bytes() -> int | None:
    """Return the bytes that this process may still take, or None if the system does not tell."""
    if sys.platform == "win32":
        return _windows()
    if sys.platform == "darwin":
        # macOS compresses and evicts as it goes and names no figure for what is free: all that is built in counts.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_available(Path("/proc/meminfo")), *(_left(*map(Path, files)) for files in _CGROUPS)]
    return min((limit for limit in limits if limit is not None), default=None)


def resident_bytes() -> int | None:
    """Return the memory that this process has now, or None if the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back_freed_memory() -> None:
    """Let the system have what this process has freed and its allocator still holds, where there is a way to."""
    if sys.platform == "linux":
        # The GNU C library keeps freed blocks in its heaps; other C libraries do not have this function.
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def free_device_bytes(device: str) -> int | None:
    """Return the bytes that a graphics processor still has for this process; None for the CPU."""
    import torch

    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        # What torch has reserved and does not use is free for it too.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return None


def _available(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _left(limit_file: Path, usage_file: Path) -> int | None:
    try:
        limit, usage = (file.read_text(encoding="ascii").strip() for file in (limit_file, usage_file))
    except OSError:
        return None
    # Without a limit the file says "max", or a number beyond any memory.
    return int(limit) - int(usage) if limit.isdigit() and int(limit) < 1 << 60 else None


def _windows() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint32), ("load", ctypes.c_uint32)] + [
            (name, ctypes.c_uint64)
            for name in ("total", "available", "total_page", "available_page", "total_virtual", "free_virtual", "extra")
        ]

    status = Status()
    status.length = ctypes.sizeof(status)
    found = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.available) if found else None
