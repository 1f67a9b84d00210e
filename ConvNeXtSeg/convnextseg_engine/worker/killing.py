"""Ending a worker: by its real PID and its process group, politely and then hard.

``PythonSlicer`` is a launcher; killing it leaves the process that works. The worker's hello carries its real PID and
on Unix it leads a group of its own, so whatever it started ends with it. On Windows it sits in a kill-on-close job,
so ending the process ends the job. Nothing here waits except :func:`end`, which makes the others usable from
Slicer's main thread.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from .identity import ProcessIdentity, group_members, identify, is_running


def ask_to_end(process: ProcessIdentity) -> None:
    """Ask the process to exit (SIGTERM); it may take its time. Windows has no such question: nothing happens there."""
    if sys.platform != "win32" and is_running(process):
        _signal(process.pid, signal.SIGTERM)


def end_now(process: ProcessIdentity) -> None:
    """End the process and everything in its group at once; returns without waiting.

    Also right when the process is dead already: what is left of its group is ended. Another process that was given
    the same PID since is never touched.
    """
    if sys.platform == "win32":
        if is_running(process):
            _signal(process.pid, signal.SIGTERM)  # on Windows this is TerminateProcess
        return
    # A PID is not given away again while a group carries its number, so a group whose leader is gone is still the
    # worker's; if somebody else has the PID, the group is gone.
    somebody = identify(process.pid)
    if somebody is not None and somebody != process:
        return
    try:
        if somebody == process and os.getpgid(process.pid) != process.pid:
            os.kill(process.pid, signal.SIGKILL)  # it leads no group; the others in its group are not ours
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def end(process: ProcessIdentity, grace_s: float = 0.0, timeout_s: float = 5.0) -> bool:
    """End the process, waiting until it is gone.

    Args:
        process: Whom to end.
        grace_s: How long it may take to exit when asked; 0 kills without asking.
        timeout_s: How long to wait after the kill (a process in an uninterruptible system call dies late).

    Returns:
        Whether the process and its group are gone.
    """
    if grace_s > 0:
        ask_to_end(process)
        wait_until_gone(process, grace_s)
    end_now(process)
    return wait_until_gone(process, timeout_s)


def wait_until_gone(process: ProcessIdentity, timeout_s: float, poll_s: float = 0.02) -> bool:
    """Wait until the process has ended, looking every ``poll_s`` seconds; say whether it did within ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while is_running(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(poll_s)
    return True


def end_own_children() -> None:
    """End everything else in the calling process's own group (Unix); called by the worker as its last act."""
    if sys.platform == "win32" or os.getpgrp() != os.getpid():
        return
    for pid in group_members(os.getpid()):
        if pid != os.getpid():
            _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
