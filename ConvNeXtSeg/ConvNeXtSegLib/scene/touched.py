"""Has a person edited this segmentation since we wrote it?

When a result is written, a fingerprint of what a person could have changed is kept in an attribute of the node, which
is saved with the scene. A segmentation without one is a person's own. The fingerprint does not depend on how Slicer
stores the voxels (layers, cropping, label values), because saving and loading changes those.
"""

from __future__ import annotations

import hashlib

import numpy as np
import slicer.util
import vtk

import slicer

_ATTRIBUTE = "ConvNeXtSeg.Fingerprint"


def mark_untouched(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Record the present content of ``node`` as what the program wrote."""
    node.SetAttribute(_ATTRIBUTE, fingerprint(node))


def is_touched(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Say whether a person made or changed ``node``: its name, or any segment's voxels, name, meaning or status.

    Colours and visibility do not count: changing them is looking, not editing.
    """
    return node.GetAttribute(_ATTRIBUTE) != fingerprint(node)


def fingerprint(node: slicer.vtkMRMLSegmentationNode) -> str:
    """Return a hexadecimal SHA-256 of the node's name and of its segments, whatever their order."""
    segmentation = node.GetSegmentation()
    parts = sorted(
        _of_segment(node, segmentation.GetNthSegmentID(n)) for n in range(segmentation.GetNumberOfSegments())
    )
    head = f"{node.GetName()}\n{segmentation.GetSourceRepresentationName()}\n"
    return hashlib.sha256((head + "\n".join(parts)).encode()).hexdigest()


def _of_segment(node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> str:
    segment = node.GetSegmentation().GetSegment(segment_id)
    status = slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment)
    words = (segment.GetName(), segment.GetTerminology(), str(status), _of_voxels(node, segment_id))
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _of_voxels(node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> str:
    """Hash of the smallest box around the segment's voxels and of where that box lies; ``"empty"`` without voxels."""
    image = node.GetBinaryLabelmapInternalRepresentation(segment_id)
    if image is None:
        return "no labelmap"
    if image.IsEmpty():
        return "empty"
    value = node.GetSegmentation().GetSegment(segment_id).GetLabelValue()
    inside = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, segment_id) == value
    hits = [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if hits[0].size == 0:
        return "empty"
    box = np.ascontiguousarray(inside[tuple(slice(hit[0], hit[-1] + 1) for hit in hits)])
    first = np.array([hit[0] for hit in reversed(hits)]) + image.GetExtent()[::2]
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    place = slicer.util.arrayFromVTKMatrix(matrix)
    place[:3, 3] = place[:3, :3] @ first + place[:3, 3]
    # Whole steps of 1e-3 mm, because a scene file rounds. The odd offset keeps numbers that occur in real headers
    # (0.5, 0.9375, -119.25, …) away from the edge between two steps, where the last bit would decide.
    steps = np.floor(place[:3] * 1e3 + 0.3183).astype(np.int64)
    return hashlib.sha256(str((box.shape, steps.tolist())).encode() + np.packbits(box).tobytes()).hexdigest()
