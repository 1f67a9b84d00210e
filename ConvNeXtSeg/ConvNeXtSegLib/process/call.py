"""One request to a worker, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convnextseg_engine.errors import ConvNeXtSegError
from convnextseg_engine.worker.messages import Progress


def _ignore(_event: Any) -> None:
    return None


@dataclass(eq=False)
class Call:
    """One request, and who hears of it.

    Attributes:
        op: What is asked.
        args: Its arguments.
        on_result: Called with the result's value.
        on_error: Called with the error and technical details; :class:`RunCancelled` after a cancel.
        on_progress: Called with each :class:`Progress`.
        on_metrics: Called with each dictionary of numbers.
        id: Number of the request once it was sent.
    """

    op: str
    args: dict[str, Any]
    on_result: Callable[[dict[str, Any]], None]
    on_error: Callable[[ConvNeXtSegError, str], None]
    on_progress: Callable[[Progress], None] = _ignore
    on_metrics: Callable[[dict[str, Any]], None] = _ignore
    id: int | None = None
    tried_again: bool = False
