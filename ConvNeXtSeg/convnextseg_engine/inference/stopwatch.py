"""Where the time of a run goes."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from .backend import Backend


class Stopwatch:
    """Time since the last lap, by stage.

    Attributes:
        seconds: Stage to seconds; a stage that is lapped twice adds up.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str, already: float = 0.0) -> None:
        """End a stage; ``already`` seconds of it count for other stages."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last - already
        self._last = now


class TimedBackend:
    """A backend that knows how long its network has computed; on a graphics processor, how long it was waited for.

    Args:
        backend: What really runs.
    """

    def __init__(self, backend: Backend):
        self.name = backend.name
        self.device = backend.device
        self.precision = backend.precision
        self.max_window_batch = backend.max_window_batch
        self.fixed_patch = backend.fixed_patch
        self.seconds = 0.0
        self._backend = backend

    @property
    def holds_memory(self) -> bool:
        """Whether the backend holds working memory now."""
        return self._backend.holds_memory

    def in_precision(self, precision: str) -> TimedBackend:
        """Return the backend in another precision, timed anew."""
        return TimedBackend(self._backend.in_precision(precision))

    def release(self) -> None:
        """Let the backend give back its working memory."""
        self._backend.release()

    def logits(self, windows: torch.Tensor, check: Callable[[], None]) -> torch.Tensor:
        """Return the backend's logits."""
        started = time.perf_counter()
        try:
            return self._backend.logits(windows, check)
        finally:
            self.seconds += time.perf_counter() - started
