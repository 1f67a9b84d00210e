"""What a person has set for this computer; kept in Slicer's settings, not in the scene."""

from __future__ import annotations

import qt

import slicer

_GROUP = "ConvNeXtSeg"
DEFAULT_IDLE_MINUTES = 15


class Settings:
    """Typed access to ``ConvNeXtSeg/…`` in Slicer's settings."""

    @property
    def python_path(self) -> str:
        """Another Python for the workers; empty for Slicer's own."""
        return self._text("PythonPath")

    @python_path.setter
    def python_path(self, value: str) -> None:
        self._store("PythonPath", value)

    @property
    def private_folder(self) -> str:
        """Folder of packages that only the workers see; empty to install into Slicer."""
        return self._text("PrivateFolder")

    @private_folder.setter
    def private_folder(self, value: str) -> None:
        self._store("PrivateFolder", value)

    @property
    def wheel_folder(self) -> str:
        """Folder of wheel files that stands in for the network; empty to use the network."""
        return self._text("WheelFolder")

    @wheel_folder.setter
    def wheel_folder(self, value: str) -> None:
        self._store("WheelFolder", value)

    @property
    def case_set(self) -> str:
        """The case set that was chosen last, so that an interrupted training is found again after a restart."""
        return self._text("CaseSet")

    @case_set.setter
    def case_set(self, value: str) -> None:
        self._store("CaseSet", value)

    @property
    def idle_minutes(self) -> int:
        """After so many minutes without work a worker gives its memory back."""
        return slicer.util.settingsValue(f"{_GROUP}/IdleMinutes", DEFAULT_IDLE_MINUTES, converter=int)

    @idle_minutes.setter
    def idle_minutes(self, value: int) -> None:
        self._store("IdleMinutes", int(value))

    def _text(self, name: str) -> str:
        return slicer.util.settingsValue(f"{_GROUP}/{name}", "", converter=str)

    def _store(self, name: str, value: str | int) -> None:
        qt.QSettings().setValue(f"{_GROUP}/{name}", value)
