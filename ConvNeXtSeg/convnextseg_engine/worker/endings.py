"""Why a worker ended, in words."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from ..errors import ConvNeXtSegError


def reason_of_end(exit_status: int | None, log: Sequence[str] = ()) -> str:
    """Return one or two sentences for the *reason* of an error.

    Args:
        exit_status: As ``subprocess`` gives it (minus the signal's number if a signal ended it; a launcher may give 128
            plus that number), or None if unknown.
        log: The last lines that the worker wrote to stderr.
    """
    number = _signal_number(exit_status)
    if number == 9:
        sentence = "It was ended from outside; mostly the system does that when memory runs out."
    elif number is not None:
        sentence = f"It crashed in a native library ({_signal_name(number)})."
    elif exit_status is None:
        sentence = "Its output was closed."
    else:
        sentence = f"It exited with status {exit_status}."
    last = next((line.strip() for line in reversed(log) if line.strip()), "")
    return f"{sentence} The last line of its log: {last[:300]}" if last else sentence


def not_started(reason: str) -> ConvNeXtSegError:
    """Return the error of a worker that never said hello."""
    return ConvNeXtSegError(
        "The worker process did not start.",
        reason=reason,
        remedy="Run the check of requirements (System section, or “convnextseg doctor”), then try again.",
        code="worker-not-started",
    )


def _signal_number(exit_status: int | None) -> int | None:
    if exit_status is not None and exit_status < 0:
        return -exit_status
    if exit_status is not None and 128 < exit_status < 160:
        return exit_status - 128
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
