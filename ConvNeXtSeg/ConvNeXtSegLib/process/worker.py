"""What a run and the panel need of a worker. Tests hand in fakes."""

from __future__ import annotations

from typing import Protocol

from .call import Call


class Worker(Protocol):
    """A worker of one role; :class:`~ConvNeXtSegLib.process.worker_process.WorkerProcess` is the real one."""

    start_s: float | None
    killed: bool

    @property
    def pid(self) -> int | None:
        """PID of the real process, or None."""

    @property
    def busy(self) -> bool:
        """Whether a call has no answer yet."""

    @property
    def log(self) -> str:
        """The last lines it wrote."""

    def call(self, call: Call) -> Call:
        """Send a request, starting the worker if needed."""

    def cancel(self, call: Call) -> None:
        """End a request without a result."""

    def stop(self, call: Call) -> None:
        """End a training early and keep what it has."""

    def kill(self) -> None:
        """End the process at once."""

    def close(self, wait_s: float | None = None) -> None:
        """End it for good."""
