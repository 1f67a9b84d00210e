"""The fields of DICOM files, and of the side-car files that converters write, that tell sequences apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import SimpleITK as sitk

TAGS = {
    "Modality": "0008|0060",
    "SeriesDescription": "0008|103e",
    "ProtocolName": "0018|1030",
    "ContrastBolusAgent": "0018|0010",
    "ImageType": "0008|0008",
    "ScanningSequence": "0018|0020",
    "SequenceVariant": "0018|0021",
    "EchoTime": "0018|0081",
    "RepetitionTime": "0018|0080",
    "InversionTime": "0018|0082",
    "DiffusionBValue": "0018|9087",
}
# Where Siemens, GE and Philips keep the b-value in classic DICOM.
_PRIVATE_B_VALUES = ("0019|100c", "0043|1039", "2001|1003")
# GE adds this to the b-value.
_GE_OFFSET = 1_000_000_000
_SECONDS = ("EchoTime", "RepetitionTime", "InversionTime")


def fields_of_dicom(file: str | Path) -> dict[str, str]:
    """Return what one DICOM file says, by keyword; nothing that names a patient is read out.

    Raises:
        RuntimeError: ITK does not read the file.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    reader.SetImageIO("GDCMImageIO")
    reader.LoadPrivateTagsOn()
    reader.ReadImageInformation()
    fields = {name: _text(reader, tag) for name, tag in TAGS.items()}
    if not fields["DiffusionBValue"]:
        fields["DiffusionBValue"] = _private_b_value(reader)
    return {name: text for name, text in fields.items() if text}


def fields_of_sidecar(path: Path) -> dict[str, str]:
    """Return what a BIDS side-car (``NAME.json`` beside ``NAME.nii.gz``) says, in DICOM's units."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    fields = {name: _joined(data[name]) for name in TAGS if name in data}
    for name in _SECONDS:
        if isinstance(data.get(name), int | float):
            fields[name] = f"{data[name] * 1000:g}"
    return {name: text for name, text in fields.items() if text}


def _text(reader: sitk.ImageFileReader, tag: str) -> str:
    # DICOM pads texts to an even length with a space or a null.
    return reader.GetMetaData(tag).strip(" \0") if reader.HasMetaDataKey(tag) else ""


def _private_b_value(reader: sitk.ImageFileReader) -> str:
    for tag in _PRIVATE_B_VALUES:
        first = _text(reader, tag).split("\\")[0]
        try:
            value = float(first)
        except ValueError:
            continue
        return f"{value % _GE_OFFSET:g}" if value >= 0 else ""
    return ""


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "\\".join(str(part) for part in value)
    return str(value) if isinstance(value, str | int | float) else ""
