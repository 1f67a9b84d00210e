"""What a worker can say, as the client's code sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ConvNeXtSegError, InputError, ResourceError, RunCancelled


@dataclass(frozen=True)
class Hello:
    """The worker's first message; ``pid`` is the real process, not a launcher."""

    protocol: int
    engine: str
    pid: int
    role: str
    python: str

    @classmethod
    def of(cls, message: dict[str, Any]) -> Hello:
        """Read a hello; raises KeyError, TypeError or ValueError if a part is missing or of the wrong kind."""
        pid = int(message["pid"])
        if pid <= 1:
            raise ValueError(f"a worker cannot have the PID {pid}")
        return cls(
            int(message["protocol"]), str(message["engine"]), pid, str(message["role"]), str(message["python"])
        )  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """Where a request stands: ``fraction`` in 0..1, times in seconds, ``remaining_s`` None while unknown."""

    id: int
    stage: str
    fraction: float
    message: str
    elapsed_s: float
    remaining_s: float | None

    @classmethod
    def of(cls, message: dict[str, Any]) -> Progress:
        """Read a progress message; raises KeyError, TypeError or ValueError if a part is missing."""
        remaining = message.get("remaining_s")
        return cls(
            message["id"],
            str(message["stage"]),
            min(max(float(message["fraction"]), 0.0), 1.0),
            str(message.get("message", "")),
            float(message.get("elapsed_s", 0.0)),
            None if remaining is None else float(remaining),
        )


@dataclass(frozen=True)
class Metrics:
    """Numbers to plot, for example ``{"step": 10, "loss": 0.4}``; a number that is not finite arrives as None."""

    id: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """A request is done."""

    id: int
    value: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A request has failed or was cancelled (then ``error`` is a :class:`RunCancelled`)."""

    id: int
    error: ConvNeXtSegError
    traceback: str


@dataclass(frozen=True)
class Bye:
    """The worker exits of its own accord, for example because it was idle; it takes no more requests."""

    reason: str


@dataclass(frozen=True)
class Broken:
    """This worker cannot be used: it is of another version or never started. End it."""

    error: ConvNeXtSegError


@dataclass(frozen=True)
class Noise:
    """Something that is no message we know; worth a line in the log and nothing else."""

    why: str
    text: str


Event = Hello | Progress | Metrics | Result | Failure | Bye | Broken | Noise

_CLASS_OF_EXIT_STATUS = {2: InputError, 3: RunCancelled, 4: ResourceError}


def error_of(message: dict[str, Any]) -> ConvNeXtSegError:
    """Return the error that a worker's error message tells of, of the same class as it was raised there."""
    code = str(message["code"])
    status = 3 if code == RunCancelled.code else message.get("exit_status")
    return _CLASS_OF_EXIT_STATUS.get(status, ConvNeXtSegError)(
        str(message["message"]), reason=str(message.get("reason", "")), remedy=str(message.get("remedy", "")), code=code
    )  # fmt: skip
