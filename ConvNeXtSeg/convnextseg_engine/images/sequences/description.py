"""What is known about an image before its voxels are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Description:
    """An image's names and the fields of its DICOM header.

    Attributes:
        name: What it is called where the user sees it: file name, name of a node, or a DICOM series description.
        folder: Name of the folder that it lies in; read only where ``name`` says nothing.
        fields: DICOM fields by keyword, as text, several values separated by a backslash: ``Modality``,
            ``SeriesDescription``, ``ProtocolName``, ``ContrastBolusAgent``, ``ImageType``, ``ScanningSequence``,
            ``SequenceVariant``, ``EchoTime`` and ``RepetitionTime`` and ``InversionTime`` (ms), ``DiffusionBValue``
            (s/mm²). Names and dates of patients have no place here.
    """

    name: str
    folder: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def text(self, keyword: str) -> str:
        """Return a field's text, empty if it is not there."""
        return str(self.fields.get(keyword, "")).strip()

    def values(self, keyword: str) -> tuple[str, ...]:
        """Return a field's values in upper case."""
        return tuple(part.strip().upper() for part in self.text(keyword).split("\\") if part.strip())

    def number(self, keyword: str) -> float | None:
        """Return a field's first value as a number, or None."""
        try:
            return float(self.text(keyword).split("\\")[0])
        except ValueError:
            return None
