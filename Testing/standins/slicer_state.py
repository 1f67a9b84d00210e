"""What one test's Slicer consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from PySide6 import QtCore

from standins.mrml import MRMLWorld


@dataclass
class SlicerState:
    """The parts behind ``slicer.app``; a test may change ``testing`` at any time."""

    world: MRMLWorld
    version: str
    home: Path
    temporary_path: str
    settings: QtCore.QSettings
    revision_settings: QtCore.QSettings
    startup_environment: dict[str, str]
    module_manager: QtCore.QObject
    layout_manager: QtCore.QObject | None
    testing: bool = False
    opened_urls: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    installed: list[tuple] = field(default_factory=list)

    @property
    def short_version(self) -> str:
        return ".".join(self.version.split(".")[:2])
