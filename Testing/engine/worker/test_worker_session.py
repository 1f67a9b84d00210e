"""The client's side of the protocol, without a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from convnextseg_engine.errors import ConvNeXtSegError, InputError, ResourceError, RunCancelled
from convnextseg_engine.worker.messages import Broken, Bye, Failure, Hello, Metrics, Noise, Progress, Result
from convnextseg_engine.worker.session import PROTOCOL, WorkerSession

HELLO = {"event": "hello", "protocol": PROTOCOL, "engine": "0.1.0", "pid": 4711, "role": "segment", "python": "3.12.1"}


def line(**message) -> bytes:
    return json.dumps(message).encode() + b"\n"


@pytest.fixture
def session() -> WorkerSession:
    session = WorkerSession("segment")
    session.feed(line(**HELLO))
    return session


def test_a_hello_makes_the_session_ready():
    session = WorkerSession("segment")
    assert not session.ready
    (event,) = session.feed(line(**HELLO))
    assert event == Hello(PROTOCOL, "0.1.0", 4711, "segment", "3.12.1")
    assert session.ready


def test_nothing_can_be_asked_before_the_hello():
    with pytest.raises(ConvNeXtSegError) as caught:
        WorkerSession("segment").request("ping")
    assert caught.value.code == "worker-not-ready"


@pytest.mark.parametrize(
    ("change", "code"), [({"protocol": PROTOCOL + 1}, "worker-version"), ({"role": "train"}, "worker-role")]
)
def test_a_hello_that_does_not_fit_breaks_the_session_in_plain_words(change, code):
    session = WorkerSession("segment")
    (event,) = session.feed(line(**{**HELLO, **change}))
    assert isinstance(event, Broken)
    assert event.error.code == code
    assert event.error.message and event.error.reason and event.error.remedy
    assert session.hello.pid == 4711, "the PID is needed to end it"
    with pytest.raises(ConvNeXtSegError) as caught:
        session.request("segment")
    assert caught.value is event.error


def test_requests_have_numbers_of_their_own_and_answers_find_them(session):
    first, data = session.request("segment", {"model": "m"})
    assert json.loads(data) == {"id": first, "op": "segment", "args": {"model": "m"}}
    second, _ = session.request("ping")
    assert first != second
    events = session.feed(
        line(id=second, event="result", value={"loaded": []})
        + line(id=first, event="progress", stage="predict", fraction=1.5, message="…", elapsed_s=2, remaining_s=None)
        + line(id=first, event="metrics", values={"loss": None})
        + line(id=first, event="result", value={"n": 1})
    )
    assert events == [
        Result(second, {"loaded": []}),
        Progress(first, "predict", 1.0, "…", 2.0, None),
        Metrics(first, {"loss": None}),
        Result(first, {"n": 1}),
    ]
    assert session.pending == {}


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [("x", 2, InputError), ("cancelled", 3, RunCancelled), ("y", 4, ResourceError), ("internal", 1, ConvNeXtSegError)],
)
def test_an_error_arrives_as_the_class_that_was_raised(session, code, status, kind):
    request_id, _ = session.request("segment")
    (event,) = session.feed(
        line(
            id=request_id,
            event="error",
            code=code,
            message="a",
            reason="b",
            remedy="c",
            exit_status=status,
            traceback="t",
        )
    )
    assert isinstance(event, Failure) and event.traceback == "t"
    assert type(event.error) is kind
    assert (event.error.code, event.error.message, event.error.reason, event.error.remedy) == (code, "a", "b", "c")
    assert event.error.exit_status == status


@pytest.mark.parametrize(
    "message",
    [
        {"id": 99, "event": "result", "value": {}},
        {"id": 1, "event": "dance"},
        {"id": 1, "event": "progress", "stage": "x"},
        {"id": 1, "event": "progress", "stage": "x", "fraction": "much"},
        {"id": 1, "event": "result", "value": 7},
        {"id": [1], "event": "result", "value": {}},
        {"id": 1, "event": "error"},
        {"event": "bye"},
        {"event": "hello", "protocol": 1, "pid": 0, "engine": "", "role": "segment", "python": ""},
        HELLO,
        {},
    ],
)
def test_what_cannot_be_understood_is_noise_and_the_request_stays_open(session, message):
    request_id, _ = session.request("segment")
    assert request_id == 1
    (event,) = session.feed(line(**message))
    assert isinstance(event, Noise) and event.why
    assert 1 in session.pending and session.ready


def test_answers_before_the_hello_are_noise():
    (event,) = WorkerSession("segment").feed(line(id=1, event="result", value={}))
    assert isinstance(event, Noise)


def test_a_worker_that_ends_fails_every_open_request_in_three_parts(session):
    first, _ = session.request("segment")
    second, _ = session.request("evaluate")
    session.cancel(second)
    session.feed(b'{"id": 1, "event": "resu')
    noise, lost, cancelled = session.ended("It was killed.")
    assert isinstance(noise, Noise)
    assert (lost.id, lost.error.code) == (first, "worker-lost")
    assert lost.error.message and lost.error.reason == "It was killed." and lost.error.remedy
    assert cancelled.id == second and isinstance(cancelled.error, RunCancelled)
    with pytest.raises(ConvNeXtSegError) as caught:
        session.request("ping")
    assert caught.value.code == "worker-ended"


def test_a_request_that_crossed_the_bye_may_be_repeated(session):
    request_id, _ = session.request("segment")
    assert session.feed(line(event="bye", reason="it was idle for 15 minutes")) == [Bye("it was idle for 15 minutes")]
    assert not session.ready
    (failure,) = session.ended("It exited with status 0.")
    assert (failure.id, failure.error.code) == (request_id, "worker-ended")
    assert "idle" in failure.error.reason


def test_a_worker_that_never_says_hello_did_not_start():
    (event,) = WorkerSession("segment").ended("It exited with status 1.")
    assert isinstance(event, Broken)
    assert event.error.code == "worker-not-started" and "status 1" in event.error.reason and event.error.remedy


def test_the_rooms_that_slicer_imports_import_neither_torch_nor_monai():
    rooms = ("session", "exchange", "killing", "command", "endings")
    code = "".join(f"import convnextseg_engine.worker.{room}\n" for room in rooms)
    code += "import sys\nassert not {'torch', 'monai'} & set(sys.modules)\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
