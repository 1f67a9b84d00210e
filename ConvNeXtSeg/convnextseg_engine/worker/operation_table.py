"""What a worker can be asked to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..progress import Reporter

Operation = Callable[[dict[str, Any], Reporter], dict[str, Any]]


@dataclass(frozen=True)
class OperationTable:
    """Operations by name.

    Attributes:
        queued: Run one after the other in the main thread, with the request's arguments and its reporter.
        instant: Answered at once from the reader thread, even while another runs; must not block.
    """

    queued: Mapping[str, Operation]
    instant: Mapping[str, Callable[[], dict[str, Any]]]
