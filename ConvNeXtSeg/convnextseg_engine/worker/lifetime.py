"""What keeps a worker from outliving its purpose, and a library's print from corrupting the protocol.

The parent of a worker may be a launcher (``PythonSlicer``), so neither the parent's PID nor a signal to it says
anything about Slicer. The worker is told Slicer's PID and watches that process; the end of its input is the second
sign. It leads a process group of its own (a kill-on-close job on Windows), so that it and whatever it starts can be
ended together.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from .identity import identify, is_running

# Twice a second: nobody notices half a second of a leftover process, and the check costs microseconds.
_WATCH_INTERVAL_S = 0.5
_TRAINING_NICENESS = 10


def take_protocol_descriptors() -> tuple[BinaryIO, BinaryIO]:
    """Move the protocol off the standard descriptors and return it as raw ``(input, output)``.

    Afterwards descriptor 0 is empty and descriptor 1 is stderr, so what any library prints, in Python or in C, goes
    to the log. Children inherit neither of the protocol's descriptors. Text printed from now on is UTF-8.
    """
    protocol_in, protocol_out = os.dup(0), os.dup(1)  # duplicates are not inheritable (PEP 446)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (protocol_in, protocol_out):
            msvcrt.setmode(descriptor, os.O_BINARY)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # started without a stderr
        os.dup2(null, 1)
        os.dup2(null, 2)
    os.close(null)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    return io.FileIO(protocol_in, "rb"), io.FileIO(protocol_out, "wb")


def separate_from_launcher() -> None:
    """Become the leader of an own process group (Unix), or enter a job that dies with this process (Windows)."""
    if sys.platform == "win32":
        _enter_kill_on_close_job()
    elif os.getpgrp() != os.getpid():
        os.setsid()


def give_way() -> None:
    """Lower this process's priority: segmenting and Slicer itself come before training."""
    if sys.platform == "win32":
        below_normal = 0x4000
        kernel = _kernel32()
        kernel.SetPriorityClass(ctypes.c_void_p(kernel.GetCurrentProcess()), below_normal)
    else:
        os.nice(_TRAINING_NICENESS)


def refuse_multiprocessing() -> None:
    """Let every start of a ``multiprocessing`` process fail with a message.

    Through ``PythonSlicer`` such a process never comes up and its parent waits for ever. An error in place of a hang
    shows the mistake; data loading has to use threads.
    """
    import multiprocessing.process

    def refuse(process: multiprocessing.process.BaseProcess) -> None:
        raise RuntimeError(f"{process.name}: processes cannot be started inside a worker; use threads")

    multiprocessing.process.BaseProcess.start = refuse


def watch_process(pid: int, on_gone: Callable[[], None]) -> None:
    """Call ``on_gone`` from a thread as soon as process ``pid`` is gone; at once if it is gone already."""
    process = identify(pid)

    def watch() -> None:
        pause = threading.Event()
        while process is not None and is_running(process):
            pause.wait(_WATCH_INTERVAL_S)
        on_gone()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _kernel32() -> ctypes.CDLL:
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    for name in ("CreateJobObjectW", "GetCurrentProcess"):
        getattr(kernel, name).restype = ctypes.c_void_p
    return kernel


class _BasicLimits(ctypes.Structure):
    """``JOBOBJECT_BASIC_LIMIT_INFORMATION`` of winnt.h."""

    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class _ExtendedLimits(ctypes.Structure):
    """``JOBOBJECT_EXTENDED_LIMIT_INFORMATION`` of winnt.h."""

    _fields_ = (
        ("BasicLimitInformation", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def _enter_kill_on_close_job() -> None:
    """Put this process into a job whose only handle it holds: when it ends, however it ends, its children end."""
    kill_on_job_close, extended_limit_information = 0x2000, 9
    kernel = _kernel32()
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = _ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = kill_on_job_close
    done = kernel.SetInformationJobObject(
        job, extended_limit_information, ctypes.byref(limits), ctypes.sizeof(limits)
    ) and kernel.AssignProcessToJobObject(job, ctypes.c_void_p(kernel.GetCurrentProcess()))
    if not done:
        # Windows before 8 knows no nested jobs. The worker still watches Slicer and its input.
        print(f"no job object: Windows error {ctypes.get_last_error()}", file=sys.stderr)
