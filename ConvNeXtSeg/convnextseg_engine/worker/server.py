"""The worker process: ``python -m convnextseg_engine.worker.server --role segment --parent-pid 4711``.

It says hello within a fraction of a second, before anything heavy is imported. Requests run one after the other in
the main thread (CUDA and OpenMP like it there); a reader thread takes cancel, stop, ping and shutdown meanwhile.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

from ..errors import ConvNeXtSegError, RunCancelled
from .answers import Answers
from .command import IDLE_SECONDS, OPERATIONS_MODULE
from .jobs import Job, Jobs
from .killing import end_own_children
from .lifetime import (
    give_way,
    refuse_multiprocessing,
    separate_from_launcher,
    take_protocol_descriptors,
    watch_process,
)
from .lines import BadLine, LineReader
from .operation_table import OperationTable

# How long work in progress may take to end once nobody wants it any more. Segmenting leaves nothing behind that is
# worth waiting for; a training finishes its step (tens of seconds for a large network on a CPU) and its checkpoint.
LEAVE_GRACE_S = {"segment": 2.0, "train": 60.0}


class Server:
    """One worker's run, from hello to exit."""

    def __init__(self, role: str, table: OperationTable, protocol_in: BinaryIO, protocol_out: BinaryIO):
        self._role = role
        self._table = table
        self._input = protocol_in
        self._jobs = Jobs()
        self._answers = Answers(protocol_out, on_lost=lambda: self.leave("nobody reads its messages"))
        self._lock = threading.Lock()
        self._reason = ""

    def run(self, parent_pid: int, idle_seconds: float) -> None:
        """Serve until it is time to go; the caller ends the process afterwards."""
        self._answers.hello(self._role)
        signal.signal(signal.SIGTERM, self._on_terminate)
        watch_process(parent_pid, lambda: self.leave("the program that started it has ended"))
        threading.Thread(target=self._read, name="protocol-reader", daemon=True).start()
        while (job := self._jobs.take(idle_seconds)) is not None:
            self._perform(job)
        self.leave(f"it was idle for {idle_seconds / 60:g} minutes")
        self._answers.bye(self._reason)

    def leave(self, reason: str) -> None:
        """Ask the work in progress to end (a training writes its checkpoint) and exit soon after, whatever it does."""
        with self._lock:
            if self._reason:
                return
            self._reason = reason
        deadline = threading.Timer(LEAVE_GRACE_S[self._role], exit_now, args=(1,))
        deadline.daemon = True
        deadline.start()
        for job in self._jobs.close():
            self._answers.error(job.id, RunCancelled())

    def _on_terminate(self, _number: int, _frame: Any) -> None:
        # A handler interrupts the main thread anywhere, even where it holds a lock that leaving needs.
        threading.Thread(target=self.leave, args=("it was asked to end",), daemon=True).start()

    def _perform(self, job: Job) -> None:
        try:
            value = self._table.queued[job.op](job.args, job.reporter)
        except BaseException as error:  # SystemExit from a library must not end a warm worker
            self._answers.error(job.id, error)
        else:
            self._answers.result(job.id, value)

    def _read(self) -> None:
        reader = LineReader()
        try:
            while data := self._input.read(65536):
                for message in reader.feed(data):
                    self._take(message)
        except OSError as error:
            print(f"reading failed: {error}", file=sys.stderr)
        self.leave("its input was closed")

    def _take(self, message: dict[str, Any] | BadLine) -> None:
        if isinstance(message, BadLine):
            print(f"a line was ignored: {message.why}: {message.text}", file=sys.stderr)
            return
        op, job_id, args = message.get("op"), message.get("id"), message.get("args") or {}
        if op == "shutdown":
            self.leave("it was asked to end")
        elif not isinstance(job_id, int) or not isinstance(op, str) or not isinstance(args, dict):
            print("a line was ignored: it is no request", file=sys.stderr)
        elif op == "cancel":
            waiting = self._jobs.cancel(job_id)
            if waiting is not None:
                self._answers.error(waiting.id, RunCancelled())
        elif op == "stop":
            self._jobs.stop(job_id)
        elif op in self._table.instant:
            self._answers.result(job_id, self._table.instant[op]())
        elif op in self._table.queued:
            # After it has closed, bye tells the client that this request was not taken.
            self._jobs.add(Job(job_id, op, args, self._answers.reporter(job_id)))
        else:
            self._answers.error(job_id, _unknown(op))


def _unknown(op: str) -> ConvNeXtSegError:
    return ConvNeXtSegError(
        f"The worker does not know the operation “{op}”.",
        reason="Slicer's side and the worker belong to different versions.",
        remedy="Install the same version on both sides.",
        code="unknown-op",
    )


def exit_now(status: int) -> None:
    """End this process and its children at once.

    Not by ``sys.exit``: that waits for threads of libraries, and a process that cannot exit is an orphan. Nothing is
    flushed: a full pipe that nobody reads would block. Both text streams write line by line anyway.
    """
    end_own_children()
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a worker; never returns."""
    parser = argparse.ArgumentParser(prog="convnextseg-worker", description="A warm worker process of ConvNeXtSeg.")
    parser.add_argument("--role", choices=sorted(LEAVE_GRACE_S), required=True)
    parser.add_argument("--parent-pid", type=int, required=True, help="exit when this process is gone")
    parser.add_argument("--idle-seconds", type=float, default=IDLE_SECONDS, help="exit after so long without work")
    parser.add_argument("--operations", default=OPERATIONS_MODULE, help="module whose build() returns the operations")
    options = parser.parse_args(argv)

    protocol_in, protocol_out = take_protocol_descriptors()
    faulthandler.enable()
    separate_from_launcher()
    refuse_multiprocessing()
    if options.role == "train":
        give_way()
    table = importlib.import_module(options.operations).build()
    Server(options.role, table, protocol_in, protocol_out).run(options.parent_pid, options.idle_seconds)
    exit_now(0)


if __name__ == "__main__":
    main()
