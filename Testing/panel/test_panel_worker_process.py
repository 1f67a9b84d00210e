"""The QProcess transport with workers that misbehave: every call ends in exactly one answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

# A worker of a few lines; the real one is driven in the other files.
HELLO = (
    "import json, os, sys\n"
    "def say(**m): print(json.dumps(m), flush=True)\n"
    "def hello(**more): say(**{'event': 'hello', 'protocol': 1, 'engine': 'x', 'pid': os.getpid(), 'role': 'segment',"
    " 'python': '3', **more})\n"
)
ECHO = HELLO + "hello()\nfor line in sys.stdin:\n    m = json.loads(line)\n"


@dataclass
class Heard:
    """Collects what a call is told."""

    results: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    progress: list = field(default_factory=list)

    def on_error(self, error, details: str) -> None:
        self.errors.append((error, details))

    @property
    def ended(self) -> bool:
        return bool(self.results or self.errors)


@pytest.fixture
def worker_running(slicer_panel_environment: SimpleNamespace) -> Callable:
    """``worker_running(code)`` gives a WorkerProcess whose process runs ``code`` instead of the server."""
    from ConvNeXtSegLib.process.python_finder import WorkerLaunch
    from ConvNeXtSegLib.process.worker_process import WorkerProcess

    made = []

    def make(code: str, program: str = sys.executable) -> WorkerProcess:
        worker = WorkerProcess("segment", lambda: WorkerLaunch((program, "-c", code), {"PYTHONUTF8": "1"}, 1.0))
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.close(wait_s=0.2)


def _call(heard: Heard):
    from ConvNeXtSegLib.process.call import Call

    return Call("segment", {}, heard.results.append, heard.on_error, heard.progress.append)


def test_answers_arrive_in_order_and_a_broken_listener_loses_only_its_own(worker_running, spin, caplog) -> None:
    worker = worker_running(
        ECHO + "    say(id=m['id'], event='progress', stage='predict', fraction=0.5, elapsed_s=1)\n"
        "    say(id=m['id'], event='result', value={'id': m['id']})\n"
    )
    first, second = Heard(), Heard()
    broken = _call(first)
    broken.on_progress = lambda _event: 1 / 0
    worker.call(broken)
    worker.call(_call(second))
    assert worker.busy
    spin(lambda: first.ended and second.ended)
    assert first.results == [{"id": 1}]
    assert second.results == [{"id": 2}]
    assert [p.fraction for p in second.progress] == [0.5]
    assert "ZeroDivisionError" in caplog.text
    assert not worker.busy
    assert worker.start_s > 0


def test_a_worker_that_does_not_start_ends_every_call(worker_running, spin) -> None:
    worker = worker_running("", program="/no/such/python")
    heard = Heard()
    worker.call(_call(heard))
    spin(lambda: heard.ended)
    ((error, _details),) = heard.errors
    assert error.code == "worker-not-started"
    assert not worker.busy


def test_a_worker_that_breaks_before_its_hello_shows_what_it_wrote(worker_running, spin) -> None:
    worker = worker_running("raise SystemExit('no module named so-and-so')")
    heard = Heard()
    worker.call(_call(heard))
    spin(lambda: heard.ended)
    ((error, details),) = heard.errors
    assert error.code == "worker-not-started"
    assert "no module named so-and-so" in details


def test_a_worker_of_another_version_is_refused_and_ended(worker_running, spin) -> None:
    from convnextseg_engine.worker.identity import identify

    worker = worker_running(HELLO + "hello(protocol=99)\nsys.stdin.read()\n")
    heard = Heard()
    worker.call(_call(heard))
    spin(lambda: heard.ended)
    ((error, _details),) = heard.errors
    assert error.code == "worker-version"
    spin(lambda: worker.pid is None)
    assert identify(-1) is None


def test_a_worker_that_never_says_hello_is_given_up(worker_running, spin, monkeypatch) -> None:
    from ConvNeXtSegLib.process import worker_process

    monkeypatch.setattr(worker_process, "HELLO_TIMEOUT_S", 0.3)
    worker = worker_running("import time\ntime.sleep(60)\n")
    heard = Heard()
    worker.call(_call(heard))
    spin(lambda: heard.ended)
    assert heard.errors[0][0].code == "worker-not-started"


def test_a_call_cancelled_before_the_hello_is_never_sent(worker_running, spin) -> None:
    worker = worker_running(ECHO + "    say(id=m['id'], event='result', value={'op': m['op'], 'id': m['id']})\n")
    cancelled, kept = Heard(), Heard()
    call = worker.call(_call(cancelled))
    worker.call(_call(kept))
    worker.cancel(call)
    assert [error.code for error, _ in cancelled.errors] == ["cancelled"]
    spin(lambda: kept.ended)
    assert kept.results == [{"op": "segment", "id": 1}]


def test_a_worker_that_goes_to_sleep_in_the_moment_of_the_click_is_started_again(
    worker_running, spin, tmp_path
) -> None:
    mark = tmp_path / "slept"
    worker = worker_running(
        ECHO + f"    if not os.path.exists({str(mark)!r}):\n"
        f"        open({str(mark)!r}, 'w').close()\n"
        "        say(event='bye', reason='it was idle')\n"
        "        sys.exit(0)\n"
        "    say(id=m['id'], event='result', value={'pid': os.getpid()})\n"
    )
    heard = Heard()
    worker.call(_call(heard))
    spin(lambda: heard.ended)
    assert heard.errors == []
    assert heard.results == [{"pid": worker.pid}]
    assert mark.exists()


def test_what_a_launcher_and_libraries_print_does_no_harm(worker_running, spin) -> None:
    worker = worker_running(
        "print('a banner without a line feed', end='')\nprint()\n" + ECHO + "    print('{not json')\n"
        "    print('to the log', file=sys.stderr, flush=True)\n"
        "    say(id=m['id'], event='result', value={'id': m['id']})\n"
    )
    heard = Heard()
    worker.call(_call(heard))
    spin(lambda: heard.ended and "to the log" in worker.log)
    assert heard.results == [{"id": 1}]


def test_slicers_python_is_found_and_the_workers_environment_is_its_own(
    slicer_panel_environment, python_slicer, monkeypatch, tmp_path
) -> None:
    from convnextseg_engine.errors import InputError
    from ConvNeXtSegLib.process.python_finder import slicer_launch

    monkeypatch.setenv("CONVNEXTSEG_HOME", str(tmp_path / "home"))
    launch = slicer_launch(private_folder=str(tmp_path / "packages"), idle_minutes=3)
    assert launch.command == (str(python_slicer),)
    paths = launch.environment["PYTHONPATH"].split(":")
    assert paths[0].endswith("ConvNeXtSeg")
    assert paths[1:] == [str(tmp_path / "packages")]
    assert launch.environment["CONVNEXTSEG_HOME"] == str(tmp_path / "home")
    assert launch.environment["PYTHONUTF8"] == "1"
    program, arguments = launch.command_line("train")
    assert program == str(python_slicer)
    assert arguments[arguments.index("--idle-seconds") + 1] == "180"
    with pytest.raises(InputError, match="Python chosen under System"):
        slicer_launch(python_path=str(tmp_path / "nowhere"))
