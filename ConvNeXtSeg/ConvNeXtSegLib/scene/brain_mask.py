"""A brain mask that lies in the scene: a segmentation or a label map, with its own grid in the patient."""

from __future__ import annotations

import numpy as np
import slicer.util
import vtk

import slicer
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid

from .volumes import matrix_to_world, world_grid

NODE_TYPES = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")
_BRAIN = "brain"


def read_brain_mask(node: slicer.vtkMRMLNode | None) -> tuple[np.ndarray, Grid]:
    """Return the mask as uint8 0 or 1, ``(D, H, W)``, and its grid in the world, parent transforms applied.

    A label map is brain wherever it is not 0. Of a segmentation the segment called “brain” is taken, or its only one.
    Nothing is resampled.

    Raises:
        InputError: No node, no voxels, several segments none of which is called brain, or a non-linear transform.
    """
    if node is None:
        raise InputError(
            "No brain mask is chosen.",
            remedy="Choose a segmentation or label map of the brain, or leave that step out.",
            code="no-brain-mask",
        )
    mask, grid = _of_segmentation(node) if node.IsA("vtkMRMLSegmentationNode") else _of_labelmap(node)
    if not mask.any():
        raise _empty(node)
    return mask, grid


def _of_labelmap(node: slicer.vtkMRMLLabelMapVolumeNode) -> tuple[np.ndarray, Grid]:
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0:
        raise _empty(node)
    return (slicer.util.arrayFromVolume(node) != 0).astype(np.uint8), world_grid(node)


def _of_segmentation(node: slicer.vtkMRMLSegmentationNode) -> tuple[np.ndarray, Grid]:
    content = node.GetSegmentation()
    names = {
        content.GetNthSegmentID(n): content.GetNthSegment(n).GetName() for n in range(content.GetNumberOfSegments())
    }
    named = [segment_id for segment_id, name in names.items() if name.strip().lower() == _BRAIN]
    chosen = named or list(names)
    if len(chosen) != 1:
        raise InputError(
            f"“{node.GetName()}” does not say which of its segments is the brain.",
            reason=f"It has {', '.join(names.values()) or 'none'}.",
            remedy="Name one segment “brain”, or choose another mask.",
            code="no-brain-segment",
        )
    image = node.GetBinaryLabelmapInternalRepresentation(chosen[0])
    if image is None or image.IsEmpty():
        raise _empty(node)
    labelmap = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, chosen[0])
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_world = matrix_to_world(node) @ slicer.util.arrayFromVTKMatrix(matrix)
    to_world[:3, 3] = (to_world @ np.array([*image.GetExtent()[::2], 1.0]))[:3]  # its first voxel need not be (0, 0, 0)
    mask = (labelmap == content.GetSegment(chosen[0]).GetLabelValue()).astype(np.uint8)
    return mask, Grid.from_ijk_to_ras(to_world, mask.shape[::-1])


def _empty(node: slicer.vtkMRMLNode) -> InputError:
    return InputError(
        f"The brain mask “{node.GetName()}” is empty.",
        remedy="Choose another mask, or make its binary labelmap the source in the Segmentations module.",
        code="empty-brain-mask",
    )
