"""``slicer.app``: a real ``QApplication`` with the members of ``qSlicerApplication`` that a module may need."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable

from PySide6 import QtCore, QtGui, QtWidgets

from standins.calls import replaces
from standins.implementations import register
from standins.slicer_state import SlicerState
from standins.wheel import slicer


def _from_state(read: Callable[[SlicerState], object], kind: type = str) -> QtCore.Property:
    return QtCore.Property(kind, lambda self: read(self.state))


def _os_name() -> str:
    return {"linux": "linux", "darwin": "macosx", "win32": "win"}.get(sys.platform, sys.platform)


@replaces("QGuiApplication", "setOverrideCursor")
def set_override_cursor(_target: None, cursor: QtGui.QCursor) -> None:
    """PySide6 returns a context manager here; Qt and PythonQt return nothing."""
    QtGui.QGuiApplication.setOverrideCursor(cursor)


@register
class qSlicerApplication(QtWidgets.QApplication):
    mrmlSceneChanged = QtCore.Signal(object)
    startupCompleted = QtCore.Signal()
    renderPaused = QtCore.Signal(bool)
    urlReceived = QtCore.Signal(str)
    usageEventLogged = QtCore.Signal(str, str)

    state: SlicerState

    slicerHome = _from_state(lambda state: str(state.home))
    slicerSharePath = _from_state(lambda state: f"share/Slicer-{state.short_version}")
    startupWorkingPath = _from_state(lambda state: str(state.home.parent))
    launcherExecutableFilePath = _from_state(lambda state: str(state.home / "Slicer"))
    extensionsInstallPath = _from_state(lambda state: str(state.home / "Extensions"))
    slicerUserSettingsFilePath = _from_state(lambda state: state.settings.fileName())
    slicerRevisionUserSettingsFilePath = _from_state(lambda state: state.revision_settings.fileName())
    isInstalled = _from_state(lambda state: True, bool)
    releaseType = _from_state(lambda state: "Stable")
    revision = _from_state(lambda state: "34045")
    repositoryRevision = _from_state(lambda state: "583e9b37")
    majorVersion = _from_state(lambda state: int(state.version.split(".")[0]), int)
    minorVersion = _from_state(lambda state: int(state.version.split(".")[1]), int)
    mainApplicationMajorVersion = _from_state(lambda state: int(state.version.split(".")[0]), int)
    mainApplicationMinorVersion = _from_state(lambda state: int(state.version.split(".")[1]), int)
    mainApplicationPatchVersion = _from_state(lambda state: int(state.version.split(".")[2]), int)
    mainApplicationName = _from_state(lambda state: "Slicer")
    mainApplicationDisplayName = _from_state(lambda state: "3D Slicer")
    isCustomMainApplication = _from_state(lambda state: False, bool)
    applicationLocaleName = _from_state(lambda state: "en-US")
    documentationBaseUrl = _from_state(lambda state: "https://slicer.readthedocs.io/en/latest/")
    documentationVersion = _from_state(lambda state: "latest")
    documentationLanguage = _from_state(lambda state: "en")
    platform = _from_state(lambda state: f"{_os_name()}-{platform.machine().lower()}")
    arch = _from_state(lambda state: platform.machine().lower())
    os = _from_state(lambda state: _os_name())

    def _set_temporary_path(self, path: str) -> None:
        self.state.temporary_path = path

    temporaryPath = QtCore.Property(str, lambda self: str(self.state.temporary_path), _set_temporary_path)

    # --- the scene and the modules

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return self.state.world.scene

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:
        return self.state.world.application_logic

    def moduleLogic(self, name: str) -> object:
        return self.state.world.application_logic.GetModuleLogic(name)

    def moduleManager(self) -> QtCore.QObject:
        return self.state.module_manager

    def layoutManager(self) -> QtCore.QObject | None:
        return self.state.layout_manager

    def dicomDatabase(self) -> None:
        """No database, as in a Slicer whose DICOM module was never opened."""
        return

    # --- settings and environment

    def settings(self) -> QtCore.QSettings:
        return self.state.settings

    userSettings = settings

    def revisionUserSettings(self) -> QtCore.QSettings:
        return self.state.revision_settings

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """What Slicer was started with, before its launcher added Slicer's own folders."""
        environment = QtCore.QProcessEnvironment()
        for name, value in self.state.startup_environment.items():
            environment.insert(name, value)
        return environment

    def environment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()

    def toSlicerHomeAbsolutePath(self, path: str) -> str:
        return path and str(self.state.home / path)  # an absolute path stays as it is

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    @staticmethod
    def testingEnabled() -> bool:
        return QtWidgets.QApplication.instance().state.testing

    # --- what would leave the program or redraw it: only remembered

    def openUrl(self, url: str) -> None:
        self.state.opened_urls.append(url)

    def restart(self) -> None:
        self.state.requests.append("restart")

    def confirmRestart(self, reason: str = "") -> None:
        self.state.requests.append("confirmRestart")

    def openNodeModule(self, node: slicer.vtkMRMLNode, role: str = "", context: str = "") -> None:
        self.state.requests.append(f"openNodeModule {node.GetID()}")

    def openSettingsDialog(self, page: str = "") -> None:
        self.state.requests.append(f"openSettingsDialog {page}")

    def openExtensionsManagerDialog(self) -> None:
        self.state.requests.append("openExtensionsManagerDialog")

    def setRenderPaused(self, paused: bool) -> None:
        self.renderPaused.emit(paused)

    def pauseRender(self) -> None:
        self.setRenderPaused(True)

    def resumeRender(self) -> None:
        self.setRenderPaused(False)
