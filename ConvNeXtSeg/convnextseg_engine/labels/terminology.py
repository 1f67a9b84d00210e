"""Terminology codes as Slicer writes them on a segment.

Slicer keeps a segment's meaning in one text, seven parts separated by ``~``: terminology context, category, type, type
modifier, anatomic context, region, region modifier. A code within it is scheme, value and meaning separated by ``^``.
The same text stands in a ``.seg.nrrd`` file, so the engine and the Slicer side share this one place.
"""

from __future__ import annotations

from .contract import Code, Label

# Slicer ships SNOMED CT types under this name; the two contexts below are the names that its files carry.
DICOM_CONTEXT = "Segmentation category and type - DICOM master list"
ANATOMY_CONTEXT = "Anatomic codes - DICOM master list"
# Resources/Terminologies/ConvNeXtSeg.term.json: codes that Slicer's list lacks, for example NCIt "Enhancing Lesion".
OWN_CONTEXT = "ConvNeXtSeg tumour labels"

# The tag of a segment that holds the text.
TAG = "TerminologyEntry"

_PARTS = 7
_TYPE = 2
_ANATOMY = 5


def terminology_entry(label: Label) -> str:
    """Return the text that says what ``label`` is, as Slicer stores it in a segment's ``TerminologyEntry`` tag."""
    context = DICOM_CONTEXT if label.type.scheme == "SCT" else OWN_CONTEXT
    anatomy = _code(label.anatomy) if label.anatomy else _code(None)
    anatomy_context = ANATOMY_CONTEXT if label.anatomy else ""
    parts = (context, _code(label.category), _code(label.type), _code(None), anatomy_context, anatomy, _code(None))
    return "~".join(parts)


def type_code(entry: str | None) -> Code | None:
    """Return the type (what the segment is) that a terminology text states, or None if it states none.

    Args:
        entry: The text of :func:`terminology_entry`, from any program; None or damaged text states nothing.
    """
    return _part(entry, _TYPE)


def anatomy_code(entry: str | None) -> Code | None:
    """Return the anatomic region that a terminology text states, or None if it states none."""
    return _part(entry, _ANATOMY)


def _part(entry: str | None, index: int) -> Code | None:
    parts = (entry or "").split("~")
    if len(parts) < _PARTS:
        return None
    fields = parts[index].split("^")
    if len(fields) != 3 or not fields[0] or not fields[1]:
        return None
    return Code(*fields)


def _code(code: Code | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"
