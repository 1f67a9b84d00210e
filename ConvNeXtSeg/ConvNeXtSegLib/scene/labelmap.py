"""From a mask to Slicer's segments: one shared labelmap, one segment per label."""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

import slicer
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.contract import Label, LabelContract
from convnextseg_engine.labels.terminology import terminology_entry


def segments_of(mask: np.ndarray, grid: Grid, contract: LabelContract) -> dict[str, slicer.vtkSegment]:
    """Return one segment per label of the contract, also for labels that do not occur.

    The segments share one labelmap, as Slicer itself stores segments that do not overlap: half the memory, and painting
    one over another keeps them disjoint.

    Args:
        mask: uint8 by the contract's values, axes ``(D, H, W)``.
        grid: Where it lies, without parent transforms.
        contract: The label contract.

    Returns:
        Segment ID (the label's name) to a new segment with name, colour, terminology and status *In progress*: a draft
        until a person says otherwise.
    """
    if mask.shape != grid.shape:
        raise ValueError(f"mask of shape {mask.shape} does not fit a grid of shape {grid.shape}")
    unknown = set(np.unique(mask).tolist()) - {0} - {label.value for label in contract.labels}
    if unknown:
        raise ValueError(f"the mask holds values that the label contract does not know: {sorted(unknown)}")
    shared = _oriented_image(mask, grid)
    return {label.name: _segment(label, shared) for label in contract.labels}


def _segment(label: Label, labelmap: slicer.vtkOrientedImageData) -> slicer.vtkSegment:
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    segment = slicer.vtkSegment()
    segment.SetName(label.name)
    segment.SetColor(*label.color)
    segment.SetTerminology(terminology_entry(label))
    segment.SetLabelValue(label.value)
    segment.AddRepresentation(
        slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName(), labelmap
    )
    logic.SetSegmentStatus(segment, logic.InProgress)
    return segment


def _oriented_image(mask: np.ndarray, grid: Grid) -> slicer.vtkOrientedImageData:
    """The box around the labels as Slicer's image with orientation; a tumour is a small part of a head."""
    slices, extent = _box(mask)
    scalars = numpy_to_vtk(np.ascontiguousarray(mask[slices]).ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(grid.ijk_to_ras.ravel().tolist())
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*extent)
    image.GetPointData().SetScalars(scalars)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _box(mask: np.ndarray) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """Slices ``(K, J, I)`` around the non-zero voxels, and the same as VTK's extent ``(i0, i1, j0, j1, k0, k1)``."""
    hits = [np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    if hits[0].size == 0:
        return (slice(0, 0),) * 3, (0, -1, 0, -1, 0, -1)
    extent = tuple(int(n) for hit in reversed(hits) for n in (hit[0], hit[-1]))
    return tuple(slice(hit[0], hit[-1] + 1) for hit in hits), extent
