"""Observe VTK objects for a while, and take all observers back at once."""

from __future__ import annotations

from collections.abc import Callable

import vtk
from PySide6 import QtCore


class SceneObserver:
    """The observers of one Qt object; they end with it."""

    def __init__(self, owner: QtCore.QObject) -> None:
        self._tags: list[tuple[vtk.vtkObject, int]] = []
        owner.destroyed.connect(lambda *_: self.clear())

    def observe(self, subject: vtk.vtkObject, event: int, callback: Callable[[], None]) -> None:
        """Call ``callback()`` when the event comes."""
        self._tags.append((subject, subject.AddObserver(event, lambda *_: callback())))

    def observe_nodes(self, scene: vtk.vtkObject, event: int, callback: Callable[[object], None]) -> None:
        """Call ``callback(node)`` for a scene event that is about a node."""

        def call(_scene: object, _event: str, node: object) -> None:
            callback(node)

        call.CallDataType = vtk.VTK_OBJECT
        self._tags.append((scene, scene.AddObserver(event, call)))

    def clear(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()
