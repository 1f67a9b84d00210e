"""From a result of the network to a segmentation node that a person reviews and corrects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import slicer
from convnextseg_engine.labels.contract import LabelContract

from .labelmap import segments_of
from .touched import is_touched, mark_untouched
from .volumes import VolumeHandle

MODEL_ATTRIBUTE = "ConvNeXtSeg.Model"
VERSION_ATTRIBUTE = "ConvNeXtSeg.ModelVersion"
NOTICE_ATTRIBUTE = "ConvNeXtSeg.Notice"
NOTICE = "Not for clinical use."


def place_result(
    scene: slicer.vtkMRMLScene,
    mask: np.ndarray,
    contract: LabelContract,
    volume: VolumeHandle,
    model: Mapping[str, str],
    previous_id: str | None = None,
) -> slicer.vtkMRMLSegmentationNode:
    """Put a mask into the scene as a segmentation on the grid of the volume that was segmented.

    The segmentation lies under the volume's parent transform and names the volume as its reference image. A previous
    result is refreshed in place if it is of the same volume and model and no person has touched it; otherwise a new
    node is made beside it ("… segmentation 2"). Nothing enters the scene if anything is refused. The closed surface is
    left to *Show 3D*: keeping it current would slow every brush stroke; a refreshed node keeps the one it had.

    Args:
        scene: The scene of the volume.
        mask: uint8 by the contract's values, axes ``(D, H, W)`` of the volume.
        contract: The model's label contract.
        volume: The volume that was segmented, as it was when the run began.
        model: ``name``, ``version`` and ``intended_use`` of the model, as the worker reports them.
        previous_id: ID of an earlier result, or None.

    Returns:
        The segmentation node.

    Raises:
        InputError: The volume is gone or changed, or the scene was closed.
    """
    reference = volume.find(scene)
    segments = segments_of(mask, volume.local_grid, contract)
    node = _refreshable(scene, previous_id, reference, model) or _new_node(scene, reference)
    was_modifying = node.StartModify()
    try:
        _fill(node, reference, segments)
        node.SetAttribute(MODEL_ATTRIBUTE, model["name"])
        node.SetAttribute(VERSION_ATTRIBUTE, str(model["version"]))
        node.SetAttribute(NOTICE_ATTRIBUTE, model.get("intended_use") or NOTICE)
        mark_untouched(node)
    finally:
        node.EndModify(was_modifying)
    return node


def source_volume(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return the volume that a segmentation belongs to, or None if it has none (any more)."""
    return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def _fill(
    node: slicer.vtkMRMLSegmentationNode,
    reference: slicer.vtkMRMLScalarVolumeNode,
    segments: Mapping[str, slicer.vtkSegment],
) -> None:
    # The parent transform comes first: the reference geometry below is expressed in the node's own coordinates.
    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    segmentation = node.GetSegmentation()
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    had_surface = segmentation.GetNumberOfSegments() > 0 and segmentation.ContainsRepresentation(surface)
    segmentation.RemoveAllSegments()
    for segment_id, segment in segments.items():
        segmentation.AddSegment(segment, segment_id)
    if had_surface:
        node.CreateClosedSurfaceRepresentation()


def _refreshable(
    scene: slicer.vtkMRMLScene,
    previous_id: str | None,
    reference: slicer.vtkMRMLScalarVolumeNode,
    model: Mapping[str, str],
) -> slicer.vtkMRMLSegmentationNode | None:
    """The previous result if the program may write over it, otherwise None."""
    node = scene.GetNodeByID(previous_id) if previous_id else None
    if node is None or not node.IsA("vtkMRMLSegmentationNode") or source_volume(node) is not reference:
        return None
    if node.GetAttribute(MODEL_ATTRIBUTE) != model["name"] or is_touched(node):
        return None
    return node


def _new_node(scene: slicer.vtkMRMLScene, reference: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLSegmentationNode:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", _free_name(scene, f"{reference.GetName()} segmentation"))
    node.CreateDefaultDisplayNodes()
    _beside(scene, node, reference)
    return node


def _free_name(scene: slicer.vtkMRMLScene, wanted: str) -> str:
    """``wanted``, or ``wanted 2``, ``wanted 3``, … whichever no node has yet."""
    name, number = wanted, 1
    while scene.GetFirstNodeByName(name) is not None:
        number += 1
        name = f"{wanted} {number}"
    return name


def _beside(
    scene: slicer.vtkMRMLScene,
    node: slicer.vtkMRMLSegmentationNode,
    reference: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    """List the segmentation under the same patient and study as its volume."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(reference)
    if item != hierarchy.GetInvalidItemID():
        hierarchy.CreateItem(hierarchy.GetItemParent(item), node)
