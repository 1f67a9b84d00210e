"""Fixtures of the panel tests: import them in a suite's ``conftest.py``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PySide6 import QtCore

from standins import slot_errors as recorded_errors
from standins.dialogs import Dialogs
from standins.environment import SlicerEnvironment, application, slicer_environment
from standins.module_panel import WidgetMaker
from standins.mrml import MRMLWorld

# A new size climbs one level of nested layouts in one round of the event loop; the panel has four.
_LAYOUT_ROUNDS = 8


@pytest.fixture
def slicer_version() -> str:
    """Override by parametrizing: ``"5.10"`` or ``"5.12"``."""
    return "5.12"


@pytest.fixture
def slicer_panel_environment(
    mrml: MRMLWorld, tmp_path: Path, slicer_version: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlicerEnvironment]:
    """Slicer as a module finds it; see ``SlicerEnvironment``."""
    folder = tmp_path / "slicer"
    monkeypatch.setenv("PATH", str(folder / "Slicer" / "bin"), prepend=os.pathsep)
    with slicer_environment(mrml, folder, slicer_version) as environment:
        yield environment


@pytest.fixture
def dialogs(slicer_panel_environment: SlicerEnvironment) -> Iterator[Dialogs]:
    """Answers for modal dialogs; the test fails if one was not announced or an answer was not used."""
    yield slicer_panel_environment.dialogs
    assert not slicer_panel_environment.dialogs.unused, "these answers were queued, but no dialog asked for them"


@pytest.fixture
def make_widget(slicer_panel_environment: SlicerEnvironment) -> Iterator[WidgetMaker]:
    """``make_widget(ConvNeXtSegWidget)``: the panel after ``setup()`` and ``enter()``; unloaded at the end."""
    maker = WidgetMaker(slicer_panel_environment)
    yield maker
    maker.unload_all()


@pytest.fixture
def spin() -> Callable[..., None]:
    """``spin(until, timeout=10.0)`` runs the event loop until ``until()`` is true; ``spin()`` empties it once."""

    def run(until: Callable[[], object] | None = None, timeout: float = 10.0) -> None:
        app = application()
        end = time.monotonic() + timeout
        while True:
            app.processEvents(QtCore.QEventLoop.AllEvents, 20)
            app.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
            if until is None or until():
                return
            if time.monotonic() > end:
                pytest.fail(f"not reached within {timeout} s; errors in slots so far: {recorded_errors.seen()}")
            time.sleep(0.005)

    return run


@pytest.fixture
def grab() -> Callable[[object, Path], Path]:
    """``grab(widget, path)`` writes a PNG of a wrapped widget."""

    def write(widget: object, path: Path) -> Path:
        for _ in range(_LAYOUT_ROUNDS):
            application().processEvents()
        path.parent.mkdir(parents=True, exist_ok=True)
        assert widget._standin_target.grab().save(str(path), "PNG"), f"could not write {path}"
        return path

    return write


@pytest.fixture
def slot_errors() -> ModuleType:
    """``slot_errors.take()`` gives the errors of slots, virtuals and timers so far, and forgives them."""
    return recorded_errors


@pytest.fixture(autouse=True)
def no_slot_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Errors in slots and in observers of VTK do not reach the emitter; here they fail the test."""
    recorded_errors.take()
    # VTK and PySide6 print what a callback raises through this hook.
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: recorded_errors.record(error))
    yield
    errors = recorded_errors.take()
    if errors:
        pytest.fail(f"errors in slots or observers: {[repr(error) for error in errors]}")


@pytest.fixture(autouse=True)
def no_unannounced_dialogs(request: pytest.FixtureRequest) -> Iterator[None]:
    """A dialog that opened without an answer fails the test, even if the code under test caught the error."""
    if "slicer_panel_environment" not in request.fixturenames:
        yield
        return
    environment = request.getfixturevalue("slicer_panel_environment")
    yield
    assert not environment.dialogs.unannounced, "dialogs opened that the test did not announce"
