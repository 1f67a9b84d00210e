"""What a volume's name, file and DICOM header say about the sequence that it shows."""

from __future__ import annotations

from pathlib import PurePath
from typing import Protocol

import slicer
from convnextseg_engine.images.sequences.description import Description
from convnextseg_engine.images.sequences.headers import TAGS


class DicomDatabase(Protocol):
    """The part of Slicer's DICOM database (``ctkDICOMDatabase``) that is used here."""

    isOpen: bool

    def instanceValue(self, uid: str, tag: str) -> str:
        """Return a field (``"0008,103e"``) of the instance with this SOP instance UID, empty if it is not there."""
        ...


def describe_volume(volume: slicer.vtkMRMLScalarVolumeNode, database: DicomDatabase | None = None) -> Description:
    """Return what is known of a volume before its voxels are looked at.

    Args:
        volume: The node; its name comes first, then the DICOM series that it was loaded from, then its file's name.
        database: Knows the headers of volumes that were loaded through Slicer's DICOM module; None without one.
    """
    storage = volume.GetStorageNode()
    file = PurePath(storage.GetFileName() or "").name if storage is not None else ""
    return Description(volume.GetName() or "", folder=file, fields=_header(volume, database))


def _header(volume: slicer.vtkMRMLScalarVolumeNode, database: DicomDatabase | None) -> dict[str, str]:
    uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
    if not uids or database is None or not database.isOpen:
        return {}
    values = {name: str(database.instanceValue(uids[0], tag.replace("|", ",")) or "") for name, tag in TAGS.items()}
    return {name: text.strip(" \0") for name, text in values.items() if text.strip(" \0")}
