"""Workers for these tests: started directly and through both kinds of launcher, and all gone afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from convnextseg_engine.worker.client import WorkerClient
from convnextseg_engine.worker.identity import identify, is_running
from convnextseg_engine.worker.killing import end_now
from standins.launcher import make_launcher

HERE = Path(__file__).resolve().parent


@pytest.fixture(params=["direct", "inherit", "copy"])
def way(request: pytest.FixtureRequest) -> str:
    """How the worker is started: directly, or through a launcher that hands on or copies its stdio."""
    return request.param


@pytest.fixture
def planted_environment() -> dict[str, str]:
    """The test's environment with the planted operations on Python's path."""
    return dict(os.environ, PYTHONPATH=str(HERE), OMP_NUM_THREADS="1")


@pytest.fixture
def make_client(tmp_path: Path, planted_environment: dict[str, str]):
    """Make clients of the planted operations; closes them and sees to it that their workers are gone."""
    clients: list[WorkerClient] = []
    logs: list[str] = []

    def make(role: str = "segment", way: str = "direct", **options) -> WorkerClient:
        python = None if way == "direct" else make_launcher(tmp_path, way)
        options = {"operations": "planted_operations", "environment": planted_environment, **options}
        client = WorkerClient(role, options.pop("python", python), on_log=logs.append, **options)
        client.log = logs
        clients.append(client)
        return client

    yield make
    processes = [identify(client.pid) for client in clients if client.pid]
    for client in clients:
        client.close()
    left = [process for process in processes if process is not None and is_running(process)]
    for process in left:
        end_now(process)
    assert not left, "a worker outlived its client"


@pytest.fixture
def within():
    """Try something that takes time, up to three times; fail if it never took less than ``seconds``.

    Another program on the machine can only lengthen it, so the quickest counts.
    """

    def check(seconds: float, attempt: Callable[[], float]) -> None:
        taken: list[float] = []
        while not taken or taken[-1] >= seconds:
            assert len(taken) < 3, f"it took {taken} s, and not less than {seconds} s"
            taken.append(attempt())

    return check


@pytest.fixture
def eventually():
    """Wait until a condition holds; fail after ``seconds``, a bound for what is broken, not for what is slow."""

    def wait(condition, seconds: float = 30.0, what: str = "the condition") -> float:
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, f"{what} did not come true within {seconds} s"
            time.sleep(0.01)
        return time.monotonic() - started

    return wait
