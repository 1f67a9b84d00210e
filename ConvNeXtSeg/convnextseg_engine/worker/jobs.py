"""The requests that a worker has taken: one runs in the main thread, the others wait in order.

The reader thread adds, cancels and stops; the main thread takes and finishes. Every request is answered exactly once:
whoever removes a waiting one from the queue answers it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from ..progress import Reporter


@dataclass(eq=False)
class Job:
    """One request, with the reporter through which it is asked to end."""

    id: int
    op: str
    args: dict[str, Any]
    reporter: Reporter


class Jobs:
    """A queue that knows the running job and can be closed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._closed = False

    def add(self, job: Job) -> bool:
        """Append ``job``; False if the queue is closed."""
        with self._changed:
            if self._closed:
                return False
            self._waiting.append(job)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> Job | None:
        """Wait for the next job and make it the running one; None once closed, or idle for ``timeout_s`` seconds.

        Idleness closes the queue in the same step, so that no request slips in between and is lost.
        """
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            if self._closed or not self._waiting:
                self._closed = True
                return None
            self._running = self._waiting.popleft()
            return self._running

    def cancel(self, job_id: int) -> Job | None:
        """Ask the running job to end, or take a waiting one out; return the latter, which the caller answers."""
        with self._changed:
            if self._running is not None and self._running.id == job_id:
                self._running.reporter.cancelled.set()
                return None
            for job in self._waiting:
                if job.id == job_id:
                    self._waiting.remove(job)
                    return job
            return None

    def stop(self, job_id: int) -> None:
        """Ask a job, running or waiting, to end early and keep what it has."""
        with self._changed:
            for job in (*self._waiting, *([self._running] if self._running else [])):
                if job.id == job_id:
                    job.reporter.stop_requested.set()

    def close(self) -> list[Job]:
        """Take no more jobs and ask the running one to end; return the waiting ones, which the caller answers."""
        with self._changed:
            self._closed = True
            if self._running is not None:
                self._running.reporter.cancelled.set()
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            return left
