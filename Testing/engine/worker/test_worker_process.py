"""A living worker: what it says, what cannot disturb it, and how it is ended. Directly and through launchers."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from convnextseg_engine.errors import ConvNeXtSegError, InputError, RunCancelled
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.worker.client import WorkerClient
from convnextseg_engine.worker.exchange import Exchange
from convnextseg_engine.worker.identity import identify, is_running
from convnextseg_engine.worker.messages import Metrics, Progress

NEWER_HELLO = '{"event": "hello", "protocol": 99, "engine": "9.0", "pid": \'$$\', "role": "segment", "python": "3"}'
STRANGE = "Überprüfung/脳腫瘍/…\u2028\udce4 \x00"


class Calling(threading.Thread):
    """A call in the background, with what came of it."""

    def __init__(self, client: WorkerClient, op: str, args: dict | None = None):
        super().__init__(daemon=True)
        self.client, self.op, self.args = client, op, args
        self.events: list = []
        self.value: dict | None = None
        self.error: ConvNeXtSegError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.value = self.client.call(self.op, self.args, self.events.append)
        except ConvNeXtSegError as error:
            self.error = error

    def seconds_until_over(self, limit: float = 60.0) -> float:
        started = time.monotonic()
        self.join(limit)
        assert not self.is_alive(), f"{self.op} was not over after {limit} s"
        return time.monotonic() - started


@pytest.fixture
def call(eventually):
    """Start a call and wait for its first event."""

    def begin(client: WorkerClient, op: str, args: dict | None = None) -> Calling:
        calling = Calling(client, op, args)
        eventually(lambda: calling.events or not calling.is_alive(), 60.0, "the first event")
        assert calling.error is None
        return calling

    return begin


def test_the_hello_comes_before_anything_heavy_and_tells_the_real_pid(make_client, way, within):
    started_clients = []

    def start() -> float:
        client = make_client(way=way, operations="convnextseg_engine.worker.operations")
        started = time.monotonic()
        started_clients.append((client, client.start()))
        return time.monotonic() - started

    within(3.0, start)
    client, hello = started_clients[-1]
    assert client.call("ping") == {"loaded": [], "imports": {}}
    command = open(f"/proc/{hello.pid}/cmdline", encoding="utf-8").read()  # noqa: PTH123, SIM115
    assert command.split("\0")[0] == sys.executable and "convnextseg_engine.worker.server" in command
    launched = client._process._popen.pid
    assert (hello.pid == launched) == (way == "direct")
    assert client.pid == hello.pid


def test_the_worker_seen_from_inside(make_client, way, tmp_path, planted_environment):
    environment = {**planted_environment, "LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    about = make_client(way=way, environment=environment).call("plant_about")
    assert about["executable"] == (sys.executable if way == "direct" else str(tmp_path / "PythonSlicer"))
    assert about["group"] == about["pid"], "it leads a group of its own, apart from the launcher"
    assert about["utf8"] == 1 and set(about["encodings"]) == {"utf-8"}
    descriptors = about["descriptors"]
    assert descriptors["0"] == "/dev/null" and descriptors["1"] == descriptors["2"]
    protocol = {target for number, target in descriptors.items() if number not in "012" and target.startswith("pipe:")}
    assert len(protocol) == 2
    assert not protocol & set(about["child_descriptors"]), "children must not hold the protocol open"


def test_nothing_that_is_printed_disturbs_the_protocol(make_client, way, eventually):
    client = make_client(way=way)
    events = []
    assert client.call("plant_noise", on_event=events.append) == {"input": ""}
    assert [event.message for event in events] == ["mid-line"]
    assert client.call("plant_echo", {"after": 1}) == {"after": 1}
    for said in ("printed by Python: ä", "written to descriptor 1", "printed by C", "printed by a child", "forged"):
        eventually(lambda said=said: any(said in line for line in client.log), what=f"“{said}” in the log")


def test_any_text_arrives_as_it_was_sent(make_client):
    assert make_client(way="copy").call("plant_echo", {STRANGE: [STRANGE, 1.5, None]}) == {
        STRANGE: [STRANGE, 1.5, None]
    }


def test_errors_come_in_three_parts_and_leave_the_worker_usable(make_client):
    client = make_client()
    pid = client.start().pid
    with pytest.raises(InputError) as caught:
        client.call("plant_input_error", {"text": STRANGE})
    error = caught.value
    assert (error.code, error.message, error.reason, error.remedy) == (
        "planted", f"Bad: {STRANGE}", "Because: ß", "Do: 直す",
    )  # fmt: skip
    assert "plant_input_error" in error.__notes__[0]
    for op, said in (
        ("plant_bug", "ZeroDivisionError: ein Fehler: ö"),
        ("plant_exit", "SystemExit: a library exits"),
        ("plant_not_json", "TypeError"),
        ("plant_too_long", "longer than"),
        ("plant_multiprocessing", "use threads"),
        ("no_such_operation", "different versions"),
    ):
        with pytest.raises(ConvNeXtSegError) as caught:
            client.call(op)
        assert said in caught.value.reason and caught.value.message and caught.value.remedy
    assert client.call("plant_echo", {"n": 1}) == {"n": 1}
    assert client.pid == pid


def test_progress_and_metrics_come_while_the_work_goes_on(make_client, call, eventually):
    calling = call(make_client(), "plant_polite")
    eventually(lambda: len([e for e in calling.events if isinstance(e, Metrics)]) > 10)
    progress = [event for event in calling.events if isinstance(event, Progress)]
    metrics = [event for event in calling.events if isinstance(event, Metrics)]
    assert metrics[1].values == {"step": 1, "loss": None}
    assert [p.fraction for p in progress] == sorted(p.fraction for p in progress)
    assert len(progress) < len(metrics), "progress is thinned out, metrics are not"


def test_a_ping_is_answered_in_the_middle_of_the_work(make_client, call, within):
    client = make_client()
    calling = call(client, "plant_deaf")

    def ping() -> float:
        started = time.monotonic()
        assert client.call("ping")["loaded"] == []
        assert calling.is_alive()
        return time.monotonic() - started

    within(1.0, ping)


def test_cancel_stops_listening_work_within_a_second_and_keeps_the_worker(make_client, call, within):
    client = make_client(way="inherit")
    pids = []

    def cancel() -> float:
        pids[:] = [client.start().pid]  # on a machine that is too busy to hear of it in time, the last one was killed
        calling = call(client, "plant_polite")
        client.cancel()
        seconds = calling.seconds_until_over()
        assert isinstance(calling.error, RunCancelled)
        return seconds

    within(1.0, cancel)
    time.sleep(1.0)  # longer than the grace time: the kill that stood by must not come
    assert client.call("plant_echo", {"n": 2}) == {"n": 2} and [client.pid] == pids


def test_cancel_kills_deaf_work_within_a_second_and_the_next_call_starts_anew(make_client, call, way, within):
    client = make_client(way=way)

    def cancel() -> float:
        process = identify(client.start().pid)
        calling = call(client, "plant_deaf")
        client.cancel()
        seconds = calling.seconds_until_over()
        assert isinstance(calling.error, RunCancelled)
        assert not is_running(process)
        assert client.call("plant_echo", {"n": 3}) == {"n": 3}
        assert client.pid != process.pid
        return seconds

    within(1.0, cancel)


def test_waiting_requests_run_in_order_and_are_cancelled_without_running(make_client, call, within):
    client = make_client()

    def cancel() -> float:
        running = call(client, "plant_polite")
        waiting = Calling(client, "plant_echo", {"n": 1})
        time.sleep(0.2)
        assert waiting.is_alive()
        client.cancel()
        seconds = running.seconds_until_over() + waiting.seconds_until_over()
        assert isinstance(running.error, RunCancelled) and isinstance(waiting.error, RunCancelled)
        return seconds

    within(1.0, cancel)
    assert client.call("plant_echo", {"n": 2}) == {"n": 2}


def test_stop_keeps_what_there_is(make_client, call):
    client = make_client("train")
    calling = call(client, "plant_polite")
    client.stop()
    calling.seconds_until_over()
    assert calling.error is None and calling.value["kept"] >= 0


def test_who_gives_up_on_a_call_cancels_it(make_client):
    client = make_client()

    def give_up(_event):
        raise KeyboardInterrupt

    pid = client.start().pid
    with pytest.raises(KeyboardInterrupt):
        client.call("plant_polite", on_event=give_up)
    assert client.call("plant_echo", {"n": 1}) == {"n": 1}
    assert client.pid == pid


@pytest.mark.parametrize(("op", "said"), [("plant_deaf", "memory"), ("plant_crash", "SIGABRT")])
def test_a_worker_that_dies_in_the_middle_gives_an_error_and_the_next_call_works(
    make_client, call, way, op, said, eventually
):
    client = make_client(way=way)
    pid = client.start().pid
    calling = Calling(client, op)
    if op == "plant_deaf":
        eventually(lambda: calling.events)
        os.kill(pid, signal.SIGKILL)
    calling.seconds_until_over()
    error = calling.error
    assert error.code == "worker-lost" and error.message and said in error.reason and error.remedy
    assert client.call("plant_echo", {"n": 4}) == {"n": 4}
    assert client.pid != pid


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (f"echo '{NEWER_HELLO}'; sleep 600", "worker-version", "protocol 99 (engine 9.0)"),
        ("echo 'No module x' >&2; exit 3", "worker-not-started", "status 3. The last line of its log: No module x"),
    ],
)
def test_a_worker_that_does_not_fit_or_start_gives_a_plain_error(make_client, tmp_path, script, code, said):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    client = make_client(python=python)
    with pytest.raises(ConvNeXtSegError) as caught:
        client.start()
    error = caught.value
    assert error.code == code and said in error.reason and error.message and error.remedy
    assert client._process._popen.poll() is not None, "what does not fit is ended"


def test_a_python_that_does_not_exist_gives_a_plain_error(make_client, tmp_path):
    with pytest.raises(ConvNeXtSegError) as caught:
        make_client(python=tmp_path / "no-python").start()
    assert caught.value.code == "worker-not-started" and "no-python" in caught.value.reason and caught.value.remedy


def test_an_idle_worker_gives_its_memory_back_and_comes_again_when_needed(make_client, eventually):
    client = make_client(way="inherit", idle_seconds=0.3)
    process = identify(client.start().pid)
    # On a busy machine it may be gone before it was looked at.
    eventually(lambda: process is None or not is_running(process), what="the idle exit")
    eventually(lambda: client.pid is None)
    assert client.call("plant_echo", {"n": 5}) == {"n": 5}


def test_a_working_worker_is_not_idle(make_client, call):
    client = make_client(idle_seconds=0.3)
    calling = call(client, "plant_polite")
    time.sleep(0.8)
    assert calling.is_alive()
    client.stop()
    calling.seconds_until_over()
    assert calling.value is not None


def test_segmenting_goes_on_while_a_training_runs(make_client, call):
    training = call(make_client("train"), "plant_polite")
    segmenter = make_client("segment")
    assert segmenter.call("plant_echo", {"n": 6}) == {"n": 6}
    assert training.is_alive()
    assert segmenter.call("plant_about")["niceness"] == os.nice(0)
    trainer = training.client
    trainer.stop()
    training.seconds_until_over()
    assert trainer.pid != segmenter.pid
    assert trainer.call("plant_about")["niceness"] > os.nice(0), "training gives way"


def test_a_large_image_goes_there_and_back(make_client, tmp_path):
    folder = tmp_path / "Übergabe 脳"
    folder.mkdir()
    exchange = Exchange.create(folder)
    grid = Grid((320, 320, 160), (0.7, 0.7, 1.1), (1, 2, 3), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    image = np.arange(grid.size[0] * grid.size[1] * grid.size[2], dtype=np.int32).reshape(grid.shape)
    ref = exchange.put_array("T1c", image, grid)
    answer = make_client().call("plant_negate", {"exchange": str(exchange.folder), "image": ref})
    result, result_grid = exchange.open_array(answer["image"])
    assert result_grid == grid and np.array_equal(result, -image)
    exchange.close()
