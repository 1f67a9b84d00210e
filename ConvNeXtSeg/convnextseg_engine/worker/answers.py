"""The worker's side of the protocol: what it says, one line at a time, from any thread."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from .. import __version__
from ..errors import RunCancelled, describe
from ..progress import ProgressEvent, Reporter
from .lines import encode
from .session import PROTOCOL

# A progress bar cannot show more than 20 steps a second; more would only fill the pipe of a busy Slicer.
_PROGRESS_INTERVAL_S = 0.05


class Answers:
    """Writes messages to the protocol's output.

    Args:
        output: Raw binary stream.
        on_lost: Called when nobody listens any more.
    """

    def __init__(self, output: BinaryIO, on_lost: Callable[[], None]):
        self._output = output
        self._on_lost = on_lost
        self._lock = threading.Lock()

    def hello(self, role: str) -> None:
        """Introduce this process with its real PID."""
        # A launcher may have printed something without a line feed; an empty line first keeps the hello whole.
        with self._lock, contextlib.suppress(OSError):
            self._output.write(b"\n")
        self._send(
            {
                "event": "hello",
                "protocol": PROTOCOL,
                "engine": __version__,
                "pid": os.getpid(),
                "role": role,
                "python": ".".join(map(str, sys.version_info[:3])),
            }
        )

    def bye(self, reason: str) -> None:
        """Say that this process exits and why."""
        self._send({"event": "bye", "reason": reason})

    def result(self, job_id: int, value: dict[str, Any]) -> None:
        """Answer a request with its result, or with an error if no message can hold it."""
        try:
            line = encode({"id": job_id, "event": "result", "value": value})
        except (TypeError, ValueError, RecursionError) as error:
            self.error(job_id, error)
        else:
            self._write(line)

    def error(self, job_id: int, error: BaseException) -> None:
        """Answer a request with an error in three parts and, unless it was cancelled, its traceback."""
        trace = "" if isinstance(error, RunCancelled) else "".join(traceback.format_exception(error))
        self._send({"id": job_id, "event": "error", **describe(error).to_dict(), "traceback": trace})

    def reporter(self, job_id: int) -> Reporter:
        """Return a reporter that sends progress and metrics of one request."""
        last_stage, last_time = "", 0.0

        def progress(event: ProgressEvent) -> None:
            nonlocal last_stage, last_time
            now = time.monotonic()
            if event.stage == last_stage and event.fraction < 1 and now - last_time < _PROGRESS_INTERVAL_S:
                return
            last_stage, last_time = event.stage, now
            self._send({"id": job_id, "event": "progress", **vars(event)})

        def metrics(values: dict[str, Any]) -> None:
            self._send({"id": job_id, "event": "metrics", "values": values})

        return Reporter(on_progress=progress, on_metrics=metrics)

    def _send(self, message: dict[str, Any]) -> None:
        self._write(encode(message))

    def _write(self, line: bytes) -> None:
        try:
            with self._lock:
                view = memoryview(line)
                while view:
                    view = view[self._output.write(view) :]
        except OSError:
            self._on_lost()
