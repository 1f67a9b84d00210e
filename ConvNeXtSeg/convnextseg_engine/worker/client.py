"""A worker driven from plain Python, without Qt: for scripts, the command line and tests.

Slicer's side moves the bytes with QProcess; both use the same :class:`WorkerSession`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConvNeXtSegError
from .command import IDLE_SECONDS, OPERATIONS_MODULE, worker_arguments, worker_environment
from .messages import Hello, Metrics, Progress
from .process import WorkerProcess
from .session import CANCEL_GRACE_S

# A little more than the worker gives itself (server.LEAVE_GRACE_S).
_CLOSE_GRACE_S = {"segment": 3.0, "train": 65.0}


class WorkerClient:
    """A worker process and its calls; calls may come from several threads.

    The worker starts with the first call, and anew with the next call after it has ended for whatever reason.

    Args:
        role: ``"segment"`` or ``"train"``.
        python: Interpreter, this one if None.
        launcher: Command that the interpreter is started through.
        idle_seconds: After so long without work the worker gives its memory back.
        cancel_grace_s: How long a cancelled operation may take to stop before the worker is killed.
        operations: Module with the operations.
        environment: Environment of the worker, this process's if None; the engine's place is added.
        on_log: Called with each line that the worker writes to stderr, and with what is no message.
    """

    def __init__(
        self,
        role: str,
        python: str | Path | None = None,
        launcher: Sequence[str] | None = None,
        *,
        idle_seconds: float = IDLE_SECONDS,
        cancel_grace_s: float = CANCEL_GRACE_S,
        operations: str = OPERATIONS_MODULE,
        environment: Mapping[str, str] | None = None,
        on_log: Callable[[str], None] = lambda _line: None,
    ):
        self.role = role
        arguments = worker_arguments(role, parent_pid=os.getpid(), idle_seconds=idle_seconds, operations=operations)
        self._command = [*(launcher or []), str(python or sys.executable), *arguments]
        self._environment = worker_environment(environment)
        self._cancel_grace_s = cancel_grace_s
        self._on_log = on_log
        self._starting = threading.Lock()
        self._process: WorkerProcess | None = None
        self._cancellations = 0

    @property
    def pid(self) -> int | None:
        """The real PID of the running worker, or None."""
        process = self._process
        return process.pid if process is not None and process.usable else None

    def start(self) -> Hello:
        """Start the worker unless it runs, and return its hello.

        Raises:
            ConvNeXtSegError: If it does not start or belongs to another version.
        """
        return self._running().hello()

    def call(
        self,
        op: str,
        args: dict[str, Any] | None = None,
        on_event: Callable[[Progress | Metrics], None] = lambda _event: None,
    ) -> dict[str, Any]:
        """Run an operation and return its value; ``on_event`` is called in this thread.

        Raises:
            ConvNeXtSegError: What the worker says, or code ``worker-lost`` if it ends in the middle;
                :class:`RunCancelled` after :meth:`cancel`. The worker's traceback is attached as a note.
        """
        count = self._cancellations

        def wanted() -> bool:
            return self._cancellations == count

        try:
            return self._running().call(op, args, on_event, wanted)
        except ConvNeXtSegError as error:
            if error.code != "worker-ended" or not wanted():
                raise
        # It took leave, being idle, just before the request came. A new one takes it.
        return self._running().call(op, args, on_event, wanted)

    def cancel(self) -> None:
        """Cancel all calls; returns at once. What does not stop within the grace time is killed."""
        self._cancellations += 1
        if self._process is not None:
            self._process.cancel(self._cancel_grace_s)

    def stop(self) -> None:
        """Ask running trainings to end early and keep what they have; returns at once."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End the worker at once, by its real PID and group."""
        if self._process is not None:
            self._process.finish(0.0)

    def close(self) -> None:
        """Ask the worker to exit, wait for it, and end it if it does not."""
        self._cancellations += 1
        if self._process is not None:
            self._process.finish(_CLOSE_GRACE_S[self.role])

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _running(self) -> WorkerProcess:
        with self._starting:
            process = self._process
            if process is None or not process.usable:
                if process is not None:
                    process.finish(_CLOSE_GRACE_S[self.role])
                process = self._process = WorkerProcess(self.role, self._command, self._environment, self._on_log)
            process.hello()
            return process
