"""Which process a PID means, and ending it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from convnextseg_engine.worker.identity import ProcessIdentity, group_members, identify, is_running
from convnextseg_engine.worker.killing import ask_to_end, end, end_now, wait_until_gone

LEADER_WITH_CHILD = """
import subprocess, time
print(subprocess.Popen(['sleep', '600']).pid, flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('ready', flush=True)
time.sleep(600)
"""


@pytest.fixture
def start():
    """Start processes; whatever is left of them and of their groups is killed afterwards."""
    started: list[subprocess.Popen] = []

    def run(code: str, *, own_group: bool = True) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=-1, text=True, start_new_session=own_group)
        started.append(process)
        return process

    yield run
    for process in started:
        for pid in [process.pid, *(group_members(process.pid))]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        process.stdout.close()


def test_a_process_is_known_by_pid_and_start(start):
    process = start("import time; time.sleep(600)")
    identity = identify(process.pid)
    assert identity == identify(process.pid) and is_running(identity)
    assert not is_running(ProcessIdentity(process.pid, "0"))
    process.kill()
    assert wait_until_gone(identity, 5.0), "a zombie counts as gone"
    process.wait()
    assert identify(process.pid) is None
    assert identify(0) is None and identify(-1) is None


def test_a_name_with_brackets_does_not_confuse(start, tmp_path):
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "600"]) as process:
        identity = identify(process.pid)
        assert identity is not None and int(identity.started) > 1
        process.kill()


def test_ending_a_leader_ends_its_group(start):
    process = start(LEADER_WITH_CHILD)
    child = identify(int(process.stdout.readline()))
    assert set(group_members(process.pid)) == {process.pid, child.pid}
    assert end(identify(process.pid))
    assert wait_until_gone(child, 5.0)


def test_what_a_dead_leader_left_is_ended_too(start):
    process = start(LEADER_WITH_CHILD)
    identity, child = identify(process.pid), identify(int(process.stdout.readline()))
    process.kill()
    process.wait()
    assert is_running(child)
    end_now(identity)
    assert wait_until_gone(child, 5.0)


def test_another_process_with_the_same_pid_is_left_alone(start):
    process = start("import time; time.sleep(600)")
    former = ProcessIdentity(process.pid, "1")
    ask_to_end(former)
    end_now(former)
    assert end(former, grace_s=0.1)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)  # a signal takes a moment to arrive


def test_others_in_a_group_that_it_does_not_lead_are_left_alone(start):
    leader = start(LEADER_WITH_CHILD)
    child = identify(int(leader.stdout.readline()))
    end_now(child)
    assert wait_until_gone(child, 5.0)
    assert leader.poll() is None


def test_asking_comes_first_and_gives_time(start, tmp_path):
    done = tmp_path / "done"
    process = start(
        "import pathlib, signal, sys, time\n"
        f"def leave(*_): time.sleep(0.2); pathlib.Path({str(done)!r}).touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, leave)\nprint('ready', flush=True)\ntime.sleep(600)"
    )
    process.stdout.readline()
    assert end(identify(process.pid), grace_s=5.0)
    assert done.exists()


def test_who_does_not_listen_is_killed(start):
    process = start(DEAF)
    process.stdout.readline()
    started = time.monotonic()
    assert end(identify(process.pid), grace_s=0.2)
    assert 0.2 <= time.monotonic() - started < 20.0
