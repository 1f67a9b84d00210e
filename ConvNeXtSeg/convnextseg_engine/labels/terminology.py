"""Slicer's terminology string of a segment, and back.

The string stands in a segment's tag ``TerminologyEntry``: seven parts separated by ``~`` (context, category, type, type
modifier, anatomic context, anatomic region, region modifier), each code as ``scheme^value^meaning``.
"""

from __future__ import annotations

from .contract import Code, Label

TAG = "TerminologyEntry"
_CONTEXT = "Segmentation category and type - DICOM master list"
_ANATOMY_CONTEXT = "Anatomic codes - DICOM master list"
_EMPTY = "^^"


def terminology_entry(label: Label, context: str = _CONTEXT) -> str:
    """Return the terminology string of a label, for example ``…~SCT^49755003^…~SCT^79654002^Edema~^^~…``.

    Args:
        label: A label of the contract.
        context: Name of the terminology in which Slicer's selector looks the type up.
    """
    anatomy = _text(label.anatomy) if label.anatomy else _EMPTY
    anatomy_context = _ANATOMY_CONTEXT if label.anatomy else ""
    return "~".join((context, _text(label.category), _text(label.type), _EMPTY, anatomy_context, anatomy, _EMPTY))


def type_and_anatomy(entry: str | None) -> tuple[Code | None, Code | None]:
    """Return what a terminology string says the segment is, and where; None for what it leaves open."""
    parts = (entry or "").split("~")
    return (_code(parts[2]) if len(parts) > 2 else None, _code(parts[5]) if len(parts) > 5 else None)


def _text(code: Code) -> str:
    return "^".join(code.to_list())


def _code(text: str) -> Code | None:
    parts = text.split("^")
    return Code(*parts) if len(parts) == 3 and parts[0] and parts[1] else None
