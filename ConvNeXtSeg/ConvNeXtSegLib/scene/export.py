"""From a corrected segmentation to a training case: segments by name and code, on the reference volume's voxels.

Nothing is resampled here. A segment that does not lie voxel on voxel is refused with its name, because a label moved by
half a voxel teaches the model the wrong border, and nobody would notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import slicer.util
import vtk

import slicer
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.check import SegmentInfo, compose_mask
from convnextseg_engine.labels.terminology import anatomy_code, type_code

from .segmentation import MODEL_ATTRIBUTE, VERSION_ATTRIBUTE
from .touched import is_touched
from .volumes import local_grid, matrix_to_world, read_volume

if TYPE_CHECKING:
    from convnextseg_engine.labels.case_set import Case, CaseSet

_TOLERANCE_MM = 1e-4


def export_case(
    segmentation: slicer.vtkMRMLSegmentationNode | None,
    channels: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
    reference: str,
    case_set: CaseSet,
    case_id: str,
    split: str,
) -> Case:
    """Write the channels and the corrected mask as a case.

    Each channel keeps its own voxels and grid. Grids are written in *world* coordinates, parent transforms applied, so
    that channels brought together by a registration in the scene lie together in the files, too. Nothing that the user
    typed in Slicer (node names, patient names) is written; files are named after channels.

    Args:
        segmentation: The corrected segmentation.
        channels: Channel name to volume.
        reference: Channel on whose voxels the segments were drawn.
        case_set: Where to write; its contract says which labels there must be.
        case_id: Name of the case within the set.
        split: ``"train"``, ``"validation"`` or ``"test"``.

    Returns:
        The written case.

    Raises:
        InputError: Unknown, missing, overlapping, off-grid or cut segments; an unusable volume; a case that exists.
    """
    volumes = {name: read_volume(node, name) for name, node in channels.items()}
    images = {name: volume.handle.world_grid.image(volume.array) for name, volume in volumes.items()}
    study = Study(images, reference)
    segments = segments_on(segmentation, channels[reference])
    mask = compose_mask(segments, case_set.contract)
    origin = {
        "program": "3D Slicer",
        "model": segmentation.GetAttribute(MODEL_ATTRIBUTE) or "",
        "model_version": segmentation.GetAttribute(VERSION_ATTRIBUTE) or "",
        "corrected": is_touched(segmentation),
    }
    return case_set.add(case_id, study, mask, split, origin)


def segments_on(
    segmentation: slicer.vtkMRMLSegmentationNode | None, volume: slicer.vtkMRMLScalarVolumeNode
) -> list[SegmentInfo]:
    """Return every segment, visible or not, on the voxels of ``volume``, with its name and terminology code.

    Raises:
        InputError: A segment lies elsewhere than the volume's voxels, or is partly outside the volume.
    """
    if segmentation is None or segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        raise InputError(
            "There is no segmentation to export.",
            remedy="Segment the volume first, or choose the segmentation that you corrected.",
            code="no-segmentation",
        )
    grid = local_grid(volume)
    _refuse_moved(segmentation, volume, grid)
    content = segmentation.GetSegmentation()
    return [
        _segment_on(segmentation, content.GetNthSegmentID(n), volume, grid)
        for n in range(content.GetNumberOfSegments())
    ]


def _segment_on(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLScalarVolumeNode,
    grid: Grid,
) -> SegmentInfo:
    # Not slicer.util.arrayFromSegmentBinaryLabelmap: it resamples what is off the grid and drops what is outside
    # without a word, and each call leaves a display node in the scene.
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    array = np.zeros(grid.shape, dtype=bool)
    drawn = _drawn(segmentation, segment_id)
    if drawn.any():
        start = _first_voxel(segmentation, segment_id, volume, grid)
        low = np.maximum(start, 0)
        high = np.maximum(np.minimum(start + drawn.shape, grid.shape), low)
        part = drawn[tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))]
        _refuse_cut(segment.GetName(), volume.GetName(), int(drawn.sum()), int(part.sum()))
        array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = part
    entry = segment.GetTerminology() if segment.HasTerminology() else None
    return SegmentInfo(segment.GetName(), type_code(entry), array, anatomy_code(entry))


def _drawn(segmentation: slicer.vtkMRMLSegmentationNode, segment_id: str) -> np.ndarray:
    """The segment in its own labelmap as booleans ``(K, J, I)``, wherever that lies."""
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    segment = segmentation.GetSegmentation().GetSegment(segment_id)
    if image is None:
        raise InputError(
            f"The segment “{segment.GetName()}” has no voxels of its own.",
            reason="It is stored as a surface only.",
            remedy="In the Segmentations module, create the binary labelmap representation and make it the source.",
            code="no-labelmap",
        )
    if image.IsEmpty():
        return np.zeros((0, 0, 0), dtype=bool)
    labelmap = slicer.util.arrayFromSegmentInternalBinaryLabelmap(segmentation, segment_id)
    return labelmap == segment.GetLabelValue()


def _refuse_moved(
    segmentation: slicer.vtkMRMLSegmentationNode, volume: slicer.vtkMRMLScalarVolumeNode, grid: Grid
) -> None:
    """Refuse if the parent transforms move the segmentation relative to the volume."""
    lps_to_ras = np.diag([-1.0, -1.0, 1.0])
    corners = np.c_[grid.corners() @ lps_to_ras, np.ones(8)]
    apart = corners @ (matrix_to_world(segmentation) - matrix_to_world(volume)).T
    distance = float(np.linalg.norm(apart[:, :3], axis=1).max())
    if distance > _TOLERANCE_MM:
        raise InputError(
            f"The segmentation “{segmentation.GetName()}” is not where the volume “{volume.GetName()}” is.",
            reason=f"Their parent transforms differ: the segments are moved by up to {distance:.4g} mm.",
            remedy="Put both under the same transform (Data module, Transform hierarchy), and export again.",
            code="off-grid",
        )


def _first_voxel(
    segmentation: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLScalarVolumeNode,
    grid: Grid,
) -> np.ndarray:
    """Index ``(K, J, I)`` in the volume of the labelmap's first voxel; refuses voxels that do not coincide."""
    image = segmentation.GetBinaryLabelmapInternalRepresentation(segment_id)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    i, j, k = np.array(image.GetExtent(), dtype=np.float64).reshape(3, 2)
    corners = np.array([[a, b, c, 1] for c in k for b in j for a in i])
    places = corners @ slicer.util.arrayFromVTKMatrix(matrix).T
    first = np.round(np.linalg.inv(grid.ijk_to_ras) @ places[0])
    expected = (corners - corners[0] + first) @ grid.ijk_to_ras.T
    if np.linalg.norm((places - expected)[:, :3], axis=1).max() > _TOLERANCE_MM:
        name = segmentation.GetSegmentation().GetSegment(segment_id).GetName()
        raise InputError(
            f"The segment “{name}” does not lie on the voxels of “{volume.GetName()}”.",
            reason="It was drawn on the grid of another volume; bringing it over would shift its border.",
            remedy="Choose as reference the volume that it was drawn on, and export again.",
            code="off-grid",
        )
    return first[2::-1].astype(int)


def _refuse_cut(segment: str, volume: str, drawn: int, inside: int) -> None:
    if inside != drawn:
        raise InputError(
            f"The segment “{segment}” extends beyond the volume “{volume}”: {drawn - inside} of its {drawn} voxels"
            f" ({100 * (drawn - inside) / drawn:.1f} %) would be cut off.",
            reason="A label can only be learned where there is an image.",
            remedy="Erase what lies outside the image, or choose as reference the volume that it was drawn on.",
            code="outside-volume",
        )
