"""Load real files into a scene as Slicer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_volume(scene: Any, path: Path) -> Any:
    """Load a file, or a folder with a DICOM series, and return its volume node."""
    import slicer

    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(storage)
    storage.SetSingleFile(path.is_file())
    storage.SetFileName(str(path if path.is_file() else min(path.iterdir())))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "loaded")
    assert storage.ReadData(node)
    return node
