"""*System*: requirements, devices, where things are, and diagnostics to paste."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, describe

from ..process.call import Call
from ..setup.diagnostics import diagnostics
from .collaborators import Collaborators
from .section import Section


class SystemSection(Section):
    """The last section of the panel.

    Args:
        layout: Layout of the panel.
        collaborators: What it works with.
        on_changed: Called after something was installed or set that a running worker cannot know.
    """

    def __init__(
        self,
        layout: qt.QVBoxLayout,
        collaborators: Collaborators,
        on_changed: Callable[[], None],
    ):
        super().__init__("system", layout)
        self._with, self._installer, self._on_changed = collaborators, collaborators.installer, on_changed
        self._doctor: dict[str, Any] | None = None
        ui, settings = self.ui, collaborators.settings
        ui.idleMinutesSpinBox.setValue(settings.idle_minutes)
        ui.pythonPath.currentPath = settings.python_path
        ui.privateFolder.currentPath = settings.private_folder
        ui.wheelFolder.currentPath = settings.wheel_folder
        ui.idleMinutesSpinBox.connect("valueChanged(int)", self._on_idle)
        ui.pythonPath.connect("currentPathChanged(QString)", self._on_python)
        ui.privateFolder.connect("currentPathChanged(QString)", self._on_private_folder)
        ui.wheelFolder.connect("currentPathChanged(QString)", self._on_wheel_folder)
        ui.installButton.connect("clicked()", self.install)
        ui.checkButton.connect("clicked()", self.check)
        ui.diagnosticsButton.connect("clicked()", self.copy_diagnostics)
        ui.deviceInfoLabel.setVisible(False)
        self.refresh()

    @property
    def complete(self) -> bool:
        """Whether all requirements are there, or another Python answers for them."""
        return self._installer.complete

    def refresh(self) -> None:
        """Show what is installed."""
        states = self._installer.states()
        rows = [f"{s.name} {s.installed or _('missing')}" + ("" if s.satisfied else " ✗") for s in states]
        if self._with.settings.python_path:
            text = _("The other Python is asked by Check.")
        elif all(state.satisfied for state in states):
            text = _("Everything that is needed is installed: {packages}.").format(packages=", ".join(rows))
        else:
            text = _("Something is missing: {packages}.").format(packages=", ".join(rows))
        self.ui.requirementsLabel.setText(text)
        self.ui.installButton.setEnabled(not self.complete and not self._installer.running)

    def install(self) -> None:
        """Install what is missing, after asking."""
        self.messages.clear()
        try:
            self._installer.install(self._on_line, self._on_installed)
        except Exception as error:
            self.messages.show_error(describe(error))
        self.ui.installButton.setEnabled(not self.complete and not self._installer.running)

    def check(self) -> None:
        """Let the worker import what it needs and say what it finds."""
        self.messages.clear()
        self.ui.checkButton.setEnabled(False)
        self.ui.deviceInfoLabel.setText(_("Starting the worker…"))
        self.ui.deviceInfoLabel.setVisible(True)
        self._with.segment_worker.call(Call("doctor", {}, self._on_doctor, self._on_check_failed))

    def copy_diagnostics(self) -> None:
        """Put versions, devices and the workers' last lines into the clipboard."""
        logs = {"segment": self._with.segment_worker.log, "train": self._with.train_worker.log}
        qt.QApplication.clipboard().setText(diagnostics(self._installer.states(), self._doctor, logs))
        slicer.util.showStatusMessage(_("Diagnostics were copied."), 3000)

    def _on_line(self, line: str) -> None:
        self.ui.requirementsLabel.setText(line)

    def _on_installed(self, error: ConvNeXtSegError | None) -> None:
        self._on_changed()
        self.ui.privateFolder.currentPath = self._with.settings.private_folder
        self.refresh()
        if error is not None:
            self.messages.show_error(error)
        else:
            self.messages.show_note(_("The requirements are installed."), what_next=_("Click Check to try them."))

    def _on_doctor(self, found: dict[str, Any]) -> None:
        self._doctor = found
        self.ui.checkButton.setEnabled(True)
        devices = [f"{device['name']} ({device['description']})" for device in found["devices"]]
        self.ui.deviceInfoLabel.setText(_("Devices: {devices}").format(devices=", ".join(devices) or _("none")))
        if found["problems"]:
            self.messages.show_note(_("The worker found problems."), "\n".join(found["problems"]))

    def _on_check_failed(self, error: ConvNeXtSegError, details: str) -> None:
        self.ui.checkButton.setEnabled(True)
        self.ui.deviceInfoLabel.setVisible(False)
        self.messages.show_error(error, details)

    def _on_idle(self, minutes: int) -> None:
        self._with.settings.idle_minutes = minutes

    def _on_python(self, path: str) -> None:
        self._with.settings.python_path = path
        self._settings_changed()

    def _on_private_folder(self, path: str) -> None:
        self._with.settings.private_folder = path
        self._settings_changed()

    def _on_wheel_folder(self, path: str) -> None:
        self._with.settings.wheel_folder = path

    def _settings_changed(self) -> None:
        self._on_changed()
        self.refresh()
