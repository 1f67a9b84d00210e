"""Put the stand-ins where a module looks for them: ``qt``, ``ctk``, ``slicer.app`` and the rest of ``slicer``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtWidgets

from standins import (  # noqa: F401 (some are imported for what they register)
    ctk_choices,
    ctk_collapsible,
    ctk_numbers,
    i18n,
    mrml_widgets,
    node_combo_box,
    scripted_module,
    segment_editor,
    ui_loader,
)
from standins.classes import wrapper_class
from standins.dialogs import Dialogs, use
from standins.implementations import implementation
from standins.launcher import make_launcher
from standins.layout_manager import qSlicerLayoutManager
from standins.module_manager import qSlicerModuleManager
from standins.mrml import MRMLWorld
from standins.old_slicer_util import slicer_util_of
from standins.packaging_module import packaging_of
from standins.qt_module import make_ctk, make_qt
from standins.slicer_app import qSlicerApplication
from standins.slicer_state import SlicerState
from standins.surface import class_names
from standins.wheel import slicer
from standins.wrapping import wrap

VERSIONS = {"5.10": "5.10.0", "5.12": "5.12.4"}


@cache
def application() -> qSlicerApplication:
    """The one application of the process, with ``qt``, ``ctk`` and Slicer's classes importable from now on."""
    app = qSlicerApplication(["Slicer"])
    app.setApplicationName("Slicer")
    app.setOrganizationName("NA-MIC")
    app.setOrganizationDomain("www.na-mic.org")
    app.setQuitOnLastWindowClosed(False)
    sys.modules["qt"], sys.modules["ctk"] = make_qt(), make_ctk()
    slicer.app = wrap(app)
    for name in class_names():
        if name.startswith(("qMRML", "qSlicer")) and implementation(name) is not None:
            setattr(slicer, name, wrapper_class(name))
    i18n.install()
    scripted_module.install()
    return app


@dataclass
class SlicerEnvironment:
    """What a test sees of the Slicer it runs in; widgets and ``app`` are wrapped, as the code under test has them."""

    state: SlicerState
    dialogs: Dialogs
    main_window: object

    @property
    def app(self) -> object:
        return slicer.app

    @property
    def scene(self) -> slicer.vtkMRMLScene:
        return self.state.world.scene

    @property
    def layout_manager(self) -> object:
        return wrap(self.state.layout_manager)

    @property
    def installed(self) -> list[tuple]:
        """What pip was asked for: ``(function, requirements, keywords)``."""
        return self.state.installed

    @property
    def opened_urls(self) -> list[str]:
        return self.state.opened_urls

    @property
    def requests(self) -> list[str]:
        """What ``slicer.app`` was asked to do that would leave the panel: ``restart``, ``openSettingsDialog …``."""
        return self.state.requests

    @property
    def testing(self) -> bool:
        """``slicer.app.testingEnabled()``: with it Slicer logs its messages instead of showing them."""
        return self.state.testing

    @testing.setter
    def testing(self, enabled: bool) -> None:
        self.state.testing = enabled


def _settings(folder: Path) -> tuple[QtCore.QSettings, QtCore.QSettings]:
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
    QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, str(folder / "settings"))
    revision = QtCore.QSettings(str(folder / "settings" / "Slicer-revision.ini"), QtCore.QSettings.IniFormat)
    return QtCore.QSettings(), revision


@contextmanager
def slicer_environment(world: MRMLWorld, folder: Path, version: str = "5.12") -> Iterator[SlicerEnvironment]:
    """A Slicer of its own for one test.

    Args:
        world: the MRML half.
        folder: for its home, settings and temporary files.
        version: ``"5.10"`` or ``"5.12"``.
    """
    app = application()
    home = folder / "Slicer"
    (home / "bin").mkdir(parents=True)
    make_launcher(home / "bin")
    temporary = folder / "temporary"
    temporary.mkdir()
    app.setApplicationVersion(VERSIONS[version])
    settings, revision_settings = _settings(folder)
    state = SlicerState(
        world=world,
        version=VERSIONS[version],
        home=home,
        temporary_path=str(temporary),
        settings=settings,
        revision_settings=revision_settings,
        startup_environment=dict(os.environ),
        module_manager=qSlicerModuleManager(),
        layout_manager=qSlicerLayoutManager(world.scene),
    )
    app.state = state
    dialogs = Dialogs()
    use(dialogs)
    window = QtWidgets.QMainWindow()
    window.setObjectName("qSlicerMainWindow")
    window.resize(480, 900)
    try:
        with slicer_util_of(version), packaging_of(version, state.installed):
            yield SlicerEnvironment(state, dialogs, wrap(window))
    finally:
        window.close()
        for widget in app.topLevelWidgets():
            widget.close()
            widget.deleteLater()
        app.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
        app.processEvents()
        state.layout_manager.close()
        use(Dialogs())
