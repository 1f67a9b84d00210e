"""One worker process from start to end, with the threads that listen to it."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import RunCancelled
from .endings import not_started, reason_of_end
from .identity import ProcessIdentity, identify
from .killing import end_now, wait_until_gone
from .messages import Broken, Event, Failure, Hello, Metrics, Noise, Progress, Result
from .session import WorkerSession

# Python itself starts in about 0.1 s; a cold disk, a virus scanner or a busy machine may need much longer.
_START_TIMEOUT_S = 60.0
# A process that was killed is gone within milliseconds unless it hangs in a system call.
_KILL_TIMEOUT_S = 5.0
_WATCH_INTERVAL_S = 0.25


class WorkerProcess:
    """A started worker. Made anew for every start; see :class:`WorkerClient` for the arguments."""

    def __init__(
        self, role: str, command: Sequence[str], environment: Mapping[str, str], on_log: Callable[[str], None]
    ):
        self._session = WorkerSession(role)
        self._on_log = on_log
        self._log: deque[str] = deque(maxlen=50)
        self._inboxes: dict[int, queue.SimpleQueue[Event]] = {}
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._greeted = threading.Event()
        self._ended = threading.Event()
        self._identity: ProcessIdentity | None = None
        self._popen = _start(command, environment)
        self._threads = [
            threading.Thread(target=target, name=f"worker-{target.__name__.strip('_')}", daemon=True)
            for target in (self._keep_log, self._listen, self._watch)
        ]
        self._log_thread = self._threads[0]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int | None:
        """The real PID, known from the hello on."""
        return self._session.hello.pid if self._session.hello is not None else None

    @property
    def usable(self) -> bool:
        """Say whether calls make sense: it runs, fits and has not taken leave."""
        return not self._ended.is_set() and self._session.broken is None and self._session.bye is None

    def hello(self) -> Hello:
        """Wait for the hello and return it; raises :class:`ConvNeXtSegError` if none comes or it does not fit."""
        if not self._greeted.wait(_START_TIMEOUT_S):
            self.finish(0.0)
        if self._session.broken is not None:
            self.finish(0.0)
            raise self._session.broken
        assert self._session.hello is not None
        return self._session.hello

    def call(
        self,
        op: str,
        args: dict[str, Any] | None,
        on_event: Callable[[Progress | Metrics], None],
        wanted: Callable[[], bool],
    ) -> dict[str, Any]:
        """Run one operation; ``wanted`` is asked once, in the moment in which the request is registered."""
        inbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with self._lock:
            if not wanted():
                raise RunCancelled()
            request_id, line = self._session.request(op, args)
            self._inboxes[request_id] = inbox
        self._write(line)
        try:
            while True:
                event = inbox.get()
                if isinstance(event, Result):
                    return event.value
                if isinstance(event, Failure):
                    if event.traceback:
                        event.error.add_note(event.traceback)
                    raise event.error
                if isinstance(event, (Progress, Metrics)):
                    on_event(event)
        finally:
            with self._lock:
                abandoned = request_id in self._session.pending  # Ctrl-C, or on_event has failed
                line = self._session.cancel(request_id) if abandoned else b""
            self._write(line)

    def cancel(self, grace_s: float) -> None:
        """Ask all running calls to end; kill the process if one is still there after ``grace_s`` seconds."""
        with self._lock:
            cancelled = list(self._session.pending)
            lines = [self._session.cancel(request_id) for request_id in cancelled]
        timer = threading.Timer(grace_s, self._kill_if_pending, args=(cancelled,))
        timer.daemon = True
        timer.start()
        for line in lines:
            self._write(line)

    def stop(self) -> None:
        """Ask all running calls to end early and keep what they have."""
        with self._lock:
            lines = [self._session.stop(request_id) for request_id in self._session.pending]
        for line in lines:
            self._write(line)

    def finish(self, grace_s: float) -> None:
        """End the process: asking first and waiting ``grace_s`` seconds, then by kill; returns when it is gone."""
        if grace_s > 0 and self._identity is not None:
            self._write(self._session.shutdown())
            wait_until_gone(self._identity, grace_s)
        self._kill()
        with self._write_lock:
            self._popen.stdin.close()
        for thread in self._threads:
            thread.join(_KILL_TIMEOUT_S)

    def _kill(self) -> None:
        if self._identity is not None:
            end_now(self._identity)
            wait_until_gone(self._identity, _KILL_TIMEOUT_S)
        # The launcher ends by itself when its child is gone; one that does not, or whose child never said hello, is
        # ended here. It leads the session that was made for it, so a child still in there ends with it.
        if self._popen.poll() is None:
            try:
                self._popen.wait(0.5 if self._identity is not None else 0.0)
            except subprocess.TimeoutExpired:
                self._kill_launcher()

    def _kill_launcher(self) -> None:
        try:
            if sys.platform == "win32":
                self._popen.kill()
            else:
                os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._popen.wait(_KILL_TIMEOUT_S)

    def _kill_if_pending(self, request_ids: list[int]) -> None:
        with self._lock:
            late = any(request_id in self._session.pending for request_id in request_ids)
        if late:
            self._kill()

    def _listen(self) -> None:
        while data := self._popen.stdout.read(65536):
            with self._lock:
                events = self._session.feed(data)
                self._dispatch(events)
            for event in events:
                if isinstance(event, Noise):
                    self._on_log(f"{event.why}: {event.text}")
        self._popen.stdout.close()
        try:
            status = self._popen.wait(1.0)
        except subprocess.TimeoutExpired:
            status = None
        self._log_thread.join(1.0)  # its last line tells why
        with self._lock:
            self._ended.set()
            self._dispatch(self._session.ended(reason_of_end(status, self._log)))

    def _watch(self) -> None:
        """End what a worker has left in its group when it is gone, so that nothing keeps its pipes open any longer."""
        self._greeted.wait()
        if self._identity is not None:
            while not wait_until_gone(self._identity, 1.0, poll_s=_WATCH_INTERVAL_S):
                continue
            end_now(self._identity)

    def _keep_log(self) -> None:
        for line in self._popen.stderr:
            text = line.decode("utf-8", errors="backslashreplace").rstrip()
            self._log.append(text)
            self._on_log(text)
        self._popen.stderr.close()

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, (Hello, Broken)):
                if self._session.hello is not None:
                    self._identity = identify(self._session.hello.pid)
                self._greeted.set()
            elif isinstance(event, (Result, Failure)):
                self._inboxes.pop(event.id).put(event)
            elif isinstance(event, (Progress, Metrics)):
                self._inboxes[event.id].put(event)

    def _write(self, line: bytes) -> None:
        try:
            with self._write_lock:
                view = memoryview(line)
                while view:
                    view = view[self._popen.stdin.write(view) :]
        except (OSError, ValueError):  # gone or closed: the listening thread tells the callers
            return


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        # A session of its own: Ctrl-C in a terminal is for the program, which then cancels in an orderly way.
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(environment),
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise not_started(f"{command[0]}: {error.strerror or error}.") from error
