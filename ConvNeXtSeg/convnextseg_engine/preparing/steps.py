"""What was done to a study before the network saw it, and what was found: both go into the report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

BRAIN_MASK = "brain mask"  # name of that step
DONE, CACHED, SKIPPED, NOT_NEEDED = "done", "cached", "skipped", "not needed"


@dataclass(frozen=True)
class Step:
    """One step of the preparation.

    Attributes:
        name: What it is, for example ``"align T2"``.
        state: ``"done"``, ``"cached"`` (an earlier result was taken), ``"skipped"`` (by the user's choice) or
            ``"not needed"``.
        seconds: How long it took.
        sentence: What came out.
    """

    name: str
    state: str
    seconds: float
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {"name": self.name, "state": self.state, "seconds": round(self.seconds, 3), "sentence": self.sentence}


@dataclass(frozen=True)
class Finding:
    """Something about the study that the model does not expect.

    Attributes:
        name: Stable name: ``"alignment"``, ``"registration"``, ``"skull"``, ``"background"``, ``"negative"``,
            ``"constant"``, ``"spacing"``, ``"field-of-view"``, ``"contrast"`` or ``"sequence"``.
        channels: The channels concerned.
        sentence: What was found.
        remedy: What the user can do; names the option where a step mends it.
        option: Command-line option of the step that mends it, empty if none does.
    """

    name: str
    channels: tuple[str, ...]
    sentence: str
    remedy: str
    option: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary."""
        return {"name": self.name, "channels": list(self.channels), "sentence": self.sentence, "remedy": self.remedy,
                "option": self.option}  # fmt: skip


class Watch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._started
