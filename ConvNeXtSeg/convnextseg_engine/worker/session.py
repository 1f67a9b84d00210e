"""The client's side of the worker protocol, without input or output.

Whoever moves the bytes (the subprocess client here, QProcess in Slicer) feeds what the worker wrote and writes what
:class:`WorkerSession` returns. Imports neither torch nor numpy.

A session is fed until the worker's output ends, then told so by :meth:`WorkerSession.ended`. Every request ends in
exactly one :class:`Result` or :class:`Failure`, whatever happens to the worker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import ConvNeXtSegError, RunCancelled
from .endings import not_started
from .lines import BadLine, LineReader, encode
from .messages import (
    Broken,
    Bye,
    Event,
    Failure,
    Hello,
    Metrics,
    Noise,
    Progress,
    Result,
    error_of,
)

PROTOCOL = 1

# After Cancel the work has to be over within one second (DESIGN, decision 1). This long the worker may take to end
# it by itself; what is left of the second is for killing it.
CANCEL_GRACE_S = 0.8


@dataclass
class Pending:
    """A request without an answer yet."""

    op: str
    cancelled: bool = False


@dataclass
class WorkerSession:
    """One worker's life as the client sees it.

    Args:
        role: ``"segment"`` or ``"train"``; a hello with another role breaks the session.
    """

    role: str
    hello: Hello | None = None
    broken: ConvNeXtSegError | None = None
    bye: Bye | None = None
    over: bool = False
    pending: dict[int, Pending] = field(default_factory=dict)
    _reader: LineReader = field(default_factory=LineReader)
    _last_id: int = 0

    @property
    def ready(self) -> bool:
        """Say whether requests can be sent: the hello has come, fits, and the worker has not taken leave."""
        return self.hello is not None and self.broken is None and self.bye is None and not self.over

    def request(self, op: str, args: dict[str, Any] | None = None) -> tuple[int, bytes]:
        """Return the number of a new request and the bytes to send.

        Raises:
            ConvNeXtSegError: If the worker has not said hello yet, does not fit, or has ended.
        """
        if self.broken is not None:
            raise self.broken
        if not self.ready:
            raise ConvNeXtSegError(
                "The worker is not ready." if self.hello is None else "The worker has ended.",
                reason="It has not said hello yet." if self.hello is None else "",
                remedy="Wait a moment and try again; a worker that has ended starts anew.",
                code="worker-not-ready" if self.hello is None else "worker-ended",
            )
        self._last_id += 1
        line = encode({"id": self._last_id, "op": op, "args": args or {}})
        self.pending[self._last_id] = Pending(op)
        return self._last_id, line

    def cancel(self, request_id: int) -> bytes:
        """Return the bytes that ask the worker to end request ``request_id`` without a result."""
        if request_id in self.pending:
            self.pending[request_id].cancelled = True
        return encode({"op": "cancel", "id": request_id})

    def stop(self, request_id: int) -> bytes:
        """Return the bytes that ask a training to end early and keep what it has."""
        return encode({"op": "stop", "id": request_id})

    def shutdown(self) -> bytes:
        """Return the bytes that ask the worker to exit."""
        return encode({"op": "shutdown"})

    def feed(self, data: bytes) -> list[Event]:
        """Return the events in what the worker wrote; ``data`` may begin and end anywhere."""
        return [self._event(item) for item in self._reader.feed(data)]

    def ended(self, reason: str, remedy: str = "Try again; the worker starts anew by itself.") -> list[Event]:
        """Return the events that follow from the worker's end.

        Args:
            reason: Why it ended, in plain words, for the errors of requests that have no answer.
            remedy: What the user can do.
        """
        self.over = True
        events: list[Event] = [Noise(bad.why, bad.text) for bad in self._reader.finish()]
        if self.hello is None and self.broken is None:
            self.broken = not_started(reason)
            events.append(Broken(self.broken))
        for request_id, pending in list(self.pending.items()):
            events.append(Failure(request_id, self._loss(pending, reason, remedy), ""))
        self.pending.clear()
        return events

    def _loss(self, pending: Pending, reason: str, remedy: str) -> ConvNeXtSegError:
        if pending.cancelled:
            return RunCancelled(reason="The worker was ended because it did not stop in time.")
        if self.broken is not None:
            return self.broken
        if self.bye is not None:
            return ConvNeXtSegError(
                "The worker ended before it took the request.", reason=f"It said: {self.bye.reason}.", remedy=remedy,
                code="worker-ended",
            )  # fmt: skip
        return ConvNeXtSegError("The worker process ended in the middle of the work.", reason=reason, remedy=remedy,
                                code="worker-lost")  # fmt: skip

    def _event(self, item: dict[str, Any] | BadLine) -> Event:
        if isinstance(item, BadLine):
            return Noise(item.why, item.text)
        kind = item.get("event")
        try:
            if kind == "hello":
                return self._greet(Hello.of(item))
            if self.hello is None:
                return Noise("a message came before the hello", str(item)[:200])
            if kind == "bye":
                self.bye = Bye(str(item["reason"]))
                return self.bye
            if item["id"] not in self.pending:
                return Noise("the message belongs to no open request", str(item)[:200])
            return self._answer(kind, item)
        except (KeyError, TypeError, ValueError) as error:
            return Noise(f"the message is incomplete ({type(error).__name__}: {error})", str(item)[:200])

    def _answer(self, kind: Any, item: dict[str, Any]) -> Event:
        if kind == "progress":
            return Progress.of(item)
        if kind == "metrics":
            return Metrics(item["id"], dict(item["values"]))
        if kind == "result":
            event: Event = Result(item["id"], dict(item["value"]))
        elif kind == "error":
            event = Failure(item["id"], error_of(item), str(item.get("traceback", "")))
        else:
            # A newer worker of the same protocol may say more than we understand; that is no reason to fail.
            return Noise(f"events of the kind {kind!r} are not known here", str(item)[:200])
        del self.pending[item["id"]]
        return event

    def _greet(self, hello: Hello) -> Event:
        if self.hello is not None:
            return Noise("a second hello came", str(hello))
        # Kept even if it does not fit, because its PID is needed to end the process.
        self.hello = hello
        if hello.protocol != PROTOCOL:
            self.broken = ConvNeXtSegError(
                "The worker belongs to another version of ConvNeXtSeg.",
                reason=f"It speaks protocol {hello.protocol} (engine {hello.engine}); this program speaks {PROTOCOL}.",
                remedy="Install the same version on both sides, or choose another Python under System.",
                code="worker-version",
            )
        elif hello.role != self.role:
            self.broken = ConvNeXtSegError(
                "The worker has another task than the one it was started for.",
                reason=f"It was started as “{self.role}” and says “{hello.role}”.",
                remedy="Restart Slicer; if it happens again, please report it.",
                code="worker-role",
            )
        return Broken(self.broken) if self.broken is not None else hello
