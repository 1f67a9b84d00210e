"""How a long run tells where it stands, and how it is asked to end.

One :class:`Reporter` goes through every room of the engine. The command line prints what it says, the
worker sends it as messages, tests collect it. A run asks :meth:`Reporter.check` often (at least twice a
second), which is how Cancel takes effect; :attr:`Reporter.stop_requested` asks a training to stop early
*and keep what it has*.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import RunCancelled


@dataclass(frozen=True)
class ProgressEvent:
    """One step of a run: ``fraction`` of the whole run in 0..1, ``remaining_s`` seconds or None if unknown."""

    stage: str
    fraction: float
    message: str
    elapsed_s: float
    remaining_s: float | None


def _ignore(_event: Any) -> None:
    return None


@dataclass
class Reporter:
    """Collects progress and metrics of one run and carries the wish to end it.

    Args:
        on_progress: Called with a :class:`ProgressEvent`.
        on_metrics: Called with a flat dictionary of numbers, for example a training step's loss.
    """

    on_progress: Callable[[ProgressEvent], None] = _ignore
    on_metrics: Callable[[dict[str, Any]], None] = _ignore
    cancelled: threading.Event = field(default_factory=threading.Event)
    stop_requested: threading.Event = field(default_factory=threading.Event)
    _started: float = field(default_factory=time.monotonic)
    _span: tuple[float, float] = (0.0, 1.0)

    def check(self) -> None:
        """Raise :class:`RunCancelled` if the user has cancelled."""
        if self.cancelled.is_set():
            raise RunCancelled()

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        """Report that ``fraction`` (0..1 of the current span) of ``stage`` is done, and check for Cancel."""
        self.check()
        low, high = self._span
        overall = low + (high - low) * min(max(fraction, 0.0), 1.0)
        elapsed = time.monotonic() - self._started
        remaining = elapsed * (1 - overall) / overall if overall > 0.02 else None
        self.on_progress(ProgressEvent(stage, overall, message, elapsed, remaining))

    def metrics(self, values: dict[str, Any]) -> None:
        """Report numbers to plot, for example ``{"step": 10, "loss": 0.4}``."""
        self.check()
        self.on_metrics(values)

    def part(self, low: float, high: float) -> Reporter:
        """Return a reporter whose 0..1 covers ``low``..``high`` of this one; events and wishes are shared."""
        a, b = self._span
        return Reporter(
            on_progress=self.on_progress,
            on_metrics=self.on_metrics,
            cancelled=self.cancelled,
            stop_requested=self.stop_requested,
            _started=self._started,
            _span=(a + (b - a) * low, a + (b - a) * high),
        )
