"""From segments, as a person left them, to a mask by the label contract; whatever is doubtful is refused in words.

Which label a segment is follows from its terminology code, then from its name; never from its place in the list or from
an integer. Slicer's exporter and the command line both come through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..images.grid import Grid
from .contract import Code, Label, LabelContract


@dataclass(frozen=True, eq=False)
class SegmentInfo:
    """One segment.

    Attributes:
        name: The name that the user sees.
        code: Terminology type code, or None if the segment has none.
        array: Where it is, shape ``(D, H, W)``; non-zero is inside.
        anatomy: Terminology code of the anatomic region, or None.
        grid: Where the array lies, or None if the caller has already put all segments onto one grid.
    """

    name: str
    code: Code | None
    array: np.ndarray
    anatomy: Code | None = None
    grid: Grid | None = None


def compose_mask(segments: Sequence[SegmentInfo], contract: LabelContract, grid: Grid | None = None) -> np.ndarray:
    """Return the mask that the segments say, whatever their order.

    Args:
        segments: The segments. Empty ones that the contract does not know are ignored.
        contract: The label contract.
        grid: Where the mask must lie; segments that have a grid must lie there within 1e-4 mm.

    Returns:
        uint8 mask ``(D, H, W)`` with the contract's values, 0 where nothing is.

    Raises:
        InputError: If a segment is unknown, a label is missing or appears twice, two segments overlap, code and name of
            a segment contradict each other, or a segment lies on another grid. The message names the segment.
    """
    found: dict[str, SegmentInfo] = {}
    for segment in segments:
        label = _label_of(segment, contract)
        if label is None:
            if np.any(segment.array):
                raise _unknown(segment, contract)
            continue
        if label.name in found:
            raise InputError(
                f"The segments “{found[label.name].name}” and “{segment.name}” are both the label “{label.name}”.",
                reason="Each label may be one segment only.",
                remedy="Merge the two, or delete the one not meant; the Segments table shows their terminology.",
                code="duplicate-label",
            )
        found[label.name] = segment
    missing = [label.name for label in contract.labels if label.name not in found]
    if missing:
        raise InputError(
            f"The label “{missing[0]}” is missing."
            if len(missing) == 1
            else f"Labels are missing: {', '.join(missing)}.",
            reason="Whether the patient has none of it, or it was forgotten, cannot be told from an absent segment.",
            remedy=f"If the patient has none of it, add an empty segment named “{missing[0]}”.",
            code="missing-label",
        )
    _check_grids(list(found.values()), grid)
    shape = grid.shape if grid else next(iter(found.values())).array.shape
    return _paint({contract.label(name): segment for name, segment in found.items()}, shape)


def _paint(found: dict[Label, SegmentInfo], shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=np.uint8)
    for label, segment in found.items():
        inside = segment.array != 0
        taken = mask[inside]
        if taken.any():
            overlaps = {
                other.name: int(np.count_nonzero(taken == earlier.value))
                for earlier, other in found.items()
                if np.any(taken == earlier.value)
            }
            name, count = next(iter(overlaps.items()))
            raise InputError(
                f"The segments “{name}” and “{segment.name}” overlap in {count} voxel{'s' if count > 1 else ''}.",
                reason="Labels are disjoint: a voxel can be one of them only.",
                remedy="In the Segment Editor, select one of the two and remove the other from it "
                "(Logical operators, Subtract); the other one keeps the voxels.",
                code="overlap",
            )
        mask[inside] = label.value
    return mask


def _label_of(segment: SegmentInfo, contract: LabelContract) -> Label | None:
    """Return the label that a segment is, or None if neither its code nor its name is the contract's."""
    by_name = next((label for label in contract.labels if _same_name(label.name, segment.name)), None)
    by_code = [label for label in contract.labels if _same_code(label.type, segment.code)]
    if len(by_code) > 1 and segment.anatomy is not None:
        by_code = [label for label in by_code if _same_code(label.anatomy, segment.anatomy)]
    if not by_code:
        return by_name
    if by_name in by_code:
        return by_name
    if by_name is not None:
        raise InputError(
            f"The segment “{segment.name}” has the terminology of the label “{by_code[0].name}”.",
            reason="Its name says one label and its terminology another.",
            remedy="Correct the one that is wrong: double-click the name or the colour in the Segments table.",
            code="name-against-code",
        )
    return by_code[0] if len(by_code) == 1 else None


def _same_name(label: str, segment: str) -> bool:
    return label.casefold() == " ".join(segment.split()).casefold()


def _same_code(label: Code | None, segment: Code | None) -> bool:
    return label is not None and segment is not None and (label.scheme, label.value) == (segment.scheme, segment.value)


def _unknown(segment: SegmentInfo, contract: LabelContract) -> InputError:
    known = ", ".join(label.name for label in contract.labels)
    return InputError(
        f"The segment “{segment.name}” is not a label of this model.",
        reason=f"The model knows {known}; neither the segment's name nor its terminology is one of them.",
        remedy="Rename it to one of these, or delete it if it is not meant for training.",
        code="unknown-segment",
    )


def _check_grids(segments: list[SegmentInfo], grid: Grid | None) -> None:
    shape = grid.shape if grid else segments[0].array.shape
    for segment in segments:
        off = grid is not None and segment.grid is not None and not segment.grid.same_as(grid)
        if off or segment.array.shape != shape:
            raise InputError(
                f"The segment “{segment.name}” does not lie on the grid of the image.",
                reason=f"It has {_size(segment.array.shape)} voxels, the image {_size(shape)}."
                if segment.array.shape != shape
                else "Its voxels lie between those of the image.",
                remedy="Choose the volume that was segmented as the reference, and export again.",
                code="off-grid",
            )


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in reversed(shape))
