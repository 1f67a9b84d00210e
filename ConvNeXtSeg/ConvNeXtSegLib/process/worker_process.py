"""A worker as a QProcess: bytes between Qt and :class:`WorkerSession`, and the process's life.

The worker starts at the first call and stays warm. A launcher (``PythonSlicer``) may stand between Slicer and it, so
it is ended by the PID of its hello and by its group; the launcher then ends by itself. All callbacks come in Slicer's
main thread, and exactly one of ``on_result`` and ``on_error`` for every call.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from convnextseg_engine.errors import ConvNeXtSegError, RunCancelled, describe
from convnextseg_engine.worker.identity import ProcessIdentity, identify
from convnextseg_engine.worker.killing import end_now, wait_until_gone
from convnextseg_engine.worker.messages import Broken, Event, Failure, Hello, Metrics, Noise, Progress, Result
from convnextseg_engine.worker.session import CANCEL_GRACE_S, WorkerSession

from .call import Call
from .python_finder import WorkerLaunch

# The hello comes before any heavy import; a first start from a cold network drive is the slowest case.
HELLO_TIMEOUT_S = 90.0
_LOG_LINES = 200
# How long Slicer waits for a worker when it closes: one that is idle needs milliseconds, a training finishes its step
# and writes a checkpoint.
END_S, CHECKPOINT_S = 3.0, 10.0


class WorkerProcess:
    """One worker of one role, started when it is needed.

    Args:
        role: ``"segment"`` or ``"train"``.
        launch: Says how to start it; asked at each start, so that changed settings take effect. May raise.
    """

    def __init__(self, role: str, launch: Callable[[], WorkerLaunch]):
        self.role = role
        self.start_s: float | None = None  # how long the last start took until the hello
        self.killed = False  # whether the last worker had to be killed
        self._launch = launch
        self._process: qt.QProcess | None = None
        self._session = WorkerSession(role)
        self._identity: ProcessIdentity | None = None
        self._waiting: list[Call] = []
        self._sent: dict[int, Call] = {}
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._started_at = 0.0
        self._grace = self._timer(CANCEL_GRACE_S, self.kill)
        self._patience = self._timer(HELLO_TIMEOUT_S, self.kill)

    @property
    def pid(self) -> int | None:
        """PID of the real worker process, or None if there is none that has said hello."""
        return self._identity.pid if self._identity else None

    @property
    def busy(self) -> bool:
        """Whether a call has no answer yet."""
        return bool(self._waiting or self._sent)

    @property
    def log(self) -> str:
        """The last lines that the worker and its libraries wrote."""
        return "\n".join(self._log)

    def call(self, call: Call) -> Call:
        """Send a request, starting the worker first if there is none; answers arrive by the call's callbacks."""
        self._waiting.append(call)
        if self._process is None:
            self._start()
        else:
            self._send_waiting()
        return call

    def cancel(self, call: Call) -> None:
        """End a call without a result: by the worker itself, or by killing it after the grace time."""
        if call in self._waiting:
            self._waiting.remove(call)
            self._tell(call.on_error, RunCancelled(), "")
        elif call.id in self._sent:
            self._write(self._session.cancel(call.id))
            self._grace.start()

    def stop(self, call: Call) -> None:
        """Ask a training to end early and keep what it has."""
        if call.id in self._sent:
            self._write(self._session.stop(call.id))

    def kill(self) -> None:
        """End the worker and whatever it started, at once; open calls end with an error."""
        self._grace.stop()
        self._patience.stop()
        self.killed = True
        if self._identity is not None:
            end_now(self._identity)
        elif self._process is not None:
            # No hello yet: the launcher is all we know. The worker behind it sees its input end and exits.
            self._process.kill()

    def close(self, wait_s: float | None = None) -> None:
        """End the worker; nobody is called back any more.

        Args:
            wait_s: Seconds that it may take to end by itself; by default enough for a training's checkpoint.
        """
        training = self.role == "train" and bool(self._sent)
        patience = wait_s if wait_s is not None else CHECKPOINT_S if training else END_S
        process, self._process = self._process, None
        identity, self._identity = self._identity, None
        self._waiting.clear()
        self._sent.clear()
        self._grace.stop()
        self._patience.stop()
        if process is None:
            return
        process.blockSignals(True)
        if self._session.hello is not None:
            process.write(self._session.shutdown())
        process.closeWriteChannel()
        if process.waitForFinished(int(patience * 1000)):
            return
        if training:
            # Its step is a long one. It has seen its input close and ends by itself after its checkpoint, within a
            # minute; killing it now would lose the work since the last one.
            return
        if identity is not None:
            end_now(identity)
            wait_until_gone(identity, 2.0)
        if not process.waitForFinished(500):
            process.kill()
            process.waitForFinished(2000)

    def _start(self) -> None:
        self._session = WorkerSession(self.role)
        self._identity = None
        self.killed = False
        self._started_at = time.monotonic()
        try:
            launch = self._launch()
        except Exception as error:
            self._fail_waiting(describe(error))
            return
        program, arguments = launch.command_line(self.role)
        environment = qt.QProcessEnvironment()
        for name, value in launch.environment.items():
            environment.insert(name, value)
        process = qt.QProcess()
        process.setProcessEnvironment(environment)
        process.connect("readyReadStandardOutput()", self._read)
        process.connect("readyReadStandardError()", self._read_log)
        process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._on_process_error)
        self._process = process
        self._patience.start()
        process.start(program, arguments)

    def _send_waiting(self) -> None:
        while self._waiting and self._session.ready and self._process is not None:
            call = self._waiting.pop(0)
            call.id, line = self._session.request(call.op, call.args)
            self._sent[call.id] = call
            self._write(line)

    def _write(self, data: bytes) -> None:
        if self._process is not None:
            self._process.write(data)

    def _read(self) -> None:
        if self._process is not None:
            self._handle(self._session.feed(self._process.readAllStandardOutput().data()))

    def _read_log(self) -> None:
        if self._process is not None:
            text = self._process.readAllStandardError().data().decode("utf-8", "replace")
            self._log.extend(text.splitlines())

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Hello):
                self._patience.stop()
                self._identity = identify(event.pid)
                self.start_s = time.monotonic() - self._started_at
            elif isinstance(event, Broken):
                if self._session.hello is not None:
                    self._identity = identify(self._session.hello.pid)
                self._fail_waiting(event.error)
                self.kill()
            elif isinstance(event, Noise):
                logging.debug("ConvNeXtSeg worker (%s): %s: %s", self.role, event.why, event.text)
            elif isinstance(event, Progress) and event.id in self._sent:
                self._tell(self._sent[event.id].on_progress, event)
            elif isinstance(event, Metrics) and event.id in self._sent:
                self._tell(self._sent[event.id].on_metrics, event.values)
            elif isinstance(event, Result) and event.id in self._sent:
                self._tell(self._answered(event.id).on_result, event.value)
            elif isinstance(event, Failure) and event.id in self._sent:
                self._fail(self._answered(event.id), event)
        self._send_waiting()

    def _answered(self, request_id: int) -> Call:
        self._grace.stop()
        return self._sent.pop(request_id)

    def _fail(self, call: Call, failure: Failure) -> None:
        if failure.error.code == "worker-ended" and not call.tried_again:
            # It went to sleep in the very moment of the click: start it again, nobody needs to know.
            call.tried_again = True
            self._waiting.append(call)
            return
        self._tell(call.on_error, failure.error, failure.traceback or self.log)

    def _fail_waiting(self, error: ConvNeXtSegError) -> None:
        calls, self._waiting = self._waiting, []
        for call in calls:
            self._tell(call.on_error, error, self.log)

    def _on_process_error(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:
            self._gone(_("The program could not be started."))

    def _on_finished(self, exit_code: int, _status: int) -> None:
        self._read()
        self._read_log()
        if exit_code == 0:
            self._gone(_("It ended by itself."))
        else:
            self._gone(
                _(
                    "It was ended from outside or broke down (exit code {code}); often there was not enough memory."
                ).format(code=exit_code)
            )

    def _gone(self, reason: str) -> None:
        """Draw the consequences of the process's end, and start anew if somebody is waiting."""
        process, self._process = self._process, None
        if process is None:
            return
        process.deleteLater()
        self._grace.stop()
        self._patience.stop()
        if self._identity is not None:
            end_now(self._identity)  # what the worker may have started and left behind
            self._identity = None
        self._handle(self._session.ended(reason))
        if self._waiting and self._process is None:
            self._start()

    def _tell(self, listener: Callable[..., None], *what: Any) -> None:
        # A mistake in a listener must not break the transport: the next message would be lost with it.
        try:
            listener(*what)
        except Exception:
            logging.exception("ConvNeXtSeg: handling an answer of the %s worker failed", self.role)

    def _timer(self, seconds: float, on_timeout: Callable[[], None]) -> qt.QTimer:
        timer = qt.QTimer()
        timer.setSingleShot(True)
        timer.setInterval(int(seconds * 1000))
        timer.timeout.connect(on_timeout)
        return timer
