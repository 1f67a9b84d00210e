"""Faults of the worker process: its protocol, its end, its memory."""

from __future__ import annotations

from .planting import Fault

_WORKER = "ConvNeXtSeg/convnextseg_engine/worker"
_TESTS = "Testing/engine/worker"

FAULTS = (
    Fault(
        "what a library prints goes into the protocol",
        f"{_WORKER}/lifetime.py",
        "    try:\n        os.dup2(2, 1)\n",
        "    try:\n        pass\n",
        (f"{_TESTS}/test_worker_process.py::test_nothing_that_is_printed_disturbs_the_protocol",),
    ),
    Fault(
        "an orphan is left when Slicer dies and its pipe stays open",
        f"{_WORKER}/server.py",
        '        watch_process(parent_pid, lambda: self.leave("the program that started it has ended"))\n',
        "",
        (f"{_TESTS}/test_worker_orphans.py::test_a_slicer_that_is_gone_before_the_worker_looks_ends_it_too",),
    ),
    Fault(
        "an orphan is left when the worker's input is closed",
        f"{_WORKER}/server.py",
        '        self.leave("its input was closed")\n',
        "",
        (f"{_TESTS}/test_worker_orphans.py::test_the_end_of_its_input_ends_the_worker_though_slicer_lives",),
    ),
    Fault(
        "ending a worker leaves what it started",
        f"{_WORKER}/killing.py",
        "os.killpg(process.pid, signal.SIGKILL)",
        "os.kill(process.pid, signal.SIGKILL)",
        (f"{_TESTS}/test_worker_killing.py::test_ending_a_leader_ends_its_group",),
    ),
    Fault(
        "work that does not listen is never killed",
        f"{_WORKER}/process.py",
        "        if late:\n            self._kill()\n",
        "",
        (
            f"{_TESTS}/test_worker_process.py::test_cancel_kills_deaf_work_within_a_second_and_the_next_call_starts_anew",
        ),
    ),
    Fault(
        "a process of somebody else is killed because it has the PID",
        f"{_WORKER}/killing.py",
        "    if somebody is not None and somebody != process:\n        return\n",
        "",
        (f"{_TESTS}/test_worker_killing.py::test_another_process_with_the_same_pid_is_left_alone",),
    ),
)
