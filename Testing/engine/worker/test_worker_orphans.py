"""No process of ours may outlive its purpose, whatever dies first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convnextseg_engine.worker.command import worker_arguments, worker_environment
from convnextseg_engine.worker.identity import ProcessIdentity, identify, is_running
from convnextseg_engine.worker.lines import LineReader, encode
from standins.launcher import make_launcher

HERE = Path(__file__).resolve().parent


@pytest.fixture
def started(planted_environment):
    """A worker that this test talks to byte by byte, with any process as its “Slicer”."""
    workers: list[subprocess.Popen] = []

    def start(parent_pid: int, role: str = "segment", **options) -> tuple[subprocess.Popen, ProcessIdentity]:
        arguments = worker_arguments(role, parent_pid=parent_pid, operations="planted_operations", **options)
        command = [sys.executable, *arguments]
        worker = subprocess.Popen(command, stdin=-1, stdout=-1, bufsize=0, env=worker_environment(planted_environment))
        workers.append(worker)
        reader, messages = LineReader(), []
        while not any(isinstance(message, dict) for message in messages):
            messages += reader.feed(worker.stdout.read(4096))
        # A worker that ends at once may have said goodbye in the same breath.
        hello = next(message for message in messages if isinstance(message, dict))
        return worker, identify(hello["pid"])

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()


def begin(worker: subprocess.Popen, op: str, **args) -> None:
    """Send a request and wait until its work has begun."""
    worker.stdin.write(encode({"id": 1, "op": op, "args": args}))
    assert b'"event"' in worker.stdout.read(4096)


@pytest.mark.parametrize("op", ["idle", "plant_deaf"])
def test_the_end_of_slicer_ends_the_worker_though_its_input_stays_open(started, eventually, op):
    with subprocess.Popen(["sleep", "600"]) as slicer:
        worker, process = started(slicer.pid)
        if op != "idle":
            begin(worker, op)
        time.sleep(0.7)
        assert is_running(process)
        slicer.kill()
        slicer.wait()
    eventually(lambda: not is_running(process), what="the worker's end")


def test_a_slicer_that_is_gone_before_the_worker_looks_ends_it_too(started, eventually):
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    _, process = started(gone.pid)
    eventually(lambda: process is None or not is_running(process), what="the worker's end")


@pytest.mark.parametrize("op", ["idle", "plant_polite", "plant_deaf"])
def test_the_end_of_its_input_ends_the_worker_though_slicer_lives(started, eventually, op):
    worker, process = started(os.getpid())
    if op != "idle":
        begin(worker, op)
    worker.stdin.close()
    eventually(lambda: not is_running(process), what="the worker's end")


def test_sigterm_ends_the_worker(started, eventually):
    worker, process = started(os.getpid())
    begin(worker, "plant_polite")
    os.kill(process.pid, 15)
    eventually(lambda: not is_running(process), what="the worker's end")
    assert worker.wait() == 0


def test_a_training_writes_its_checkpoint_before_it_goes(started, eventually, tmp_path):
    worker, process = started(os.getpid(), role="train")
    checkpoint = tmp_path / "checkpoint"
    begin(worker, "plant_checkpoint", file=str(checkpoint))
    worker.stdin.close()
    eventually(lambda: not is_running(process), what="the worker's end")
    assert checkpoint.read_text(encoding="utf-8") == "step 1"


@pytest.mark.parametrize(
    ("way", "op"),
    [("direct", "idle"), ("inherit", "idle"), ("copy", "idle"), ("inherit", "plant_deaf")],
    indirect=["way"],
)
def test_killing_the_program_that_uses_the_client_ends_the_worker(planted_environment, eventually, tmp_path, way, op):
    python = sys.executable if way == "direct" else make_launcher(tmp_path, way)
    command = [sys.executable, str(HERE / "slicer_standin.py"), str(python), op]
    with subprocess.Popen(command, stdout=-1, env=worker_environment(planted_environment)) as program:
        process = identify(int(program.stdout.readline()))
        assert is_running(process)
        program.kill()
    eventually(lambda: not is_running(process), what="the worker's end")


def test_killing_the_launcher_leaves_the_worker_which_is_still_ended_by_its_real_pid(make_client, eventually):
    client = make_client(way="inherit")
    process = identify(client.start().pid)
    launcher = client._process._popen
    launcher.kill()
    launcher.wait()
    time.sleep(0.3)
    assert is_running(process), "that is what makes a launcher treacherous"
    assert client.call("plant_echo", {"n": 1}) == {"n": 1}
    client.kill()
    assert not is_running(process)


def test_a_worker_whose_launcher_carried_its_stdio_ends_with_the_launcher(make_client, eventually):
    client = make_client(way="copy")
    process = identify(client.start().pid)
    client._process._popen.kill()
    eventually(lambda: not is_running(process), what="the worker's end")
    assert client.call("plant_echo", {"n": 1}) == {"n": 1}


@pytest.mark.parametrize("end", ["input", "sigterm", "idle"])
def test_what_the_worker_started_ends_with_it(started, eventually, end):
    worker, process = started(os.getpid(), idle_seconds=3 if end == "idle" else 60)
    worker.stdin.write(encode({"id": 1, "op": "plant_leave_a_child"}))
    child = identify(json.loads(worker.stdout.read(4096))["value"]["child"])
    assert is_running(child)
    if end == "input":
        worker.stdin.close()
    elif end == "sigterm":
        os.kill(process.pid, 15)
    eventually(lambda: not is_running(process), what="the worker's end")
    eventually(lambda: not is_running(child), what="the child's end")


@pytest.mark.parametrize("end", ["kill", "crash"])
def test_what_a_worker_could_not_end_itself_the_client_ends(make_client, eventually, way, end):
    client = make_client(way=way)
    child = identify(client.call("plant_leave_a_child")["child"])
    assert is_running(child)
    if end == "crash":
        os.kill(client.pid, 9)
    else:
        client.kill()
    eventually(lambda: not is_running(child), what="the child's end")
