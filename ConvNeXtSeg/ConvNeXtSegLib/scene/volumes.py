"""From a scalar volume node to the array and the grids that the engine works with. The node is never modified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer.util
import vtk

import slicer
from convnextseg_engine.errors import InputError
from convnextseg_engine.images.colour import component_of
from convnextseg_engine.images.grid import Grid


@dataclass(frozen=True)
class VolumeHandle:
    """Which volume a run was started on, kept across asynchronous work without keeping the node.

    A node ID alone is not enough: after the scene is closed, the next patient's first volume gets the same ID. The weak
    reference tells the two apart and does not keep a closed scene's image in memory.

    Attributes:
        node_id: MRML ID.
        name: Name of the volume when the run began, for messages.
        local_grid: Grid without parent transforms, on which the result is written back.
        world_grid: Grid in the patient with parent transforms applied, on which the network sees it.
        weak: Weak reference to the node.
    """

    node_id: str
    name: str
    local_grid: Grid
    world_grid: Grid
    weak: vtk.vtkWeakReference

    def find(self, scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
        """Return the volume node.

        Raises:
            InputError: The scene is closing, or the volume was removed, replaced or given another grid meanwhile.
        """
        node = None if scene.IsClosing() else scene.GetNodeByID(self.node_id)
        if node is None or node is not self.weak.Get():
            raise InputError(
                f"The volume “{self.name}” is no longer in the scene, so its segmentation was not added.",
                reason="It was removed, or the scene was closed, while the run was going on.",
                remedy="Load the volume again and segment it anew.",
                code="volume-gone",
            )
        if not local_grid(node).same_as(self.local_grid):
            raise InputError(
                f"The volume “{self.name}” was changed during the run, so its segmentation was not added.",
                reason="Its size, spacing, position or orientation is another now.",
                remedy="Segment the volume again.",
                code="volume-changed",
            )
        return node


@dataclass(frozen=True)
class SceneVolume:
    """A volume's voxels and where they lie.

    Attributes:
        handle: Which volume it is, with its grids; safe to keep.
        array: Read-only view of the node's voxels, axes ``(D, H, W)`` = ``(K, J, I)``, type as the node has it. It
            keeps the voxels in memory: copy it out and let it go.
    """

    handle: VolumeHandle
    array: np.ndarray


def read_volume(node: slicer.vtkMRMLScalarVolumeNode | None, channel: str = "") -> SceneVolume:
    """Return the voxels and grids of a scalar volume node, or of one colour of a colour volume.

    Args:
        node: The volume.
        channel: The model's channel that it is for; one called red, green or blue takes that colour.

    Raises:
        InputError: No volume, no voxels, a label map, a colour or vector volume for a channel that takes no colour, or
            a non-linear parent transform.
    """
    _refuse_unusable(node, channel)
    array = slicer.util.arrayFromVolume(node).view()
    if array.ndim > 3:
        array = array[..., component_of(channel)]
    array.flags.writeable = False
    weak = vtk.vtkWeakReference()
    weak.Set(node)
    return SceneVolume(VolumeHandle(node.GetID(), node.GetName(), local_grid(node), world_grid(node), weak), array)


def local_grid(node: slicer.vtkMRMLScalarVolumeNode) -> Grid:
    """Return the grid of a volume without its parent transforms."""
    return Grid.from_ijk_to_ras(_ijk_to_ras(node), node.GetImageData().GetDimensions())


def world_grid(node: slicer.vtkMRMLScalarVolumeNode) -> Grid:
    """Return the grid of a volume in the patient, parent transforms applied; refuses non-linear ones."""
    return Grid.from_ijk_to_ras(matrix_to_world(node) @ _ijk_to_ras(node), node.GetImageData().GetDimensions())


def matrix_to_world(node: slicer.vtkMRMLTransformableNode) -> np.ndarray:
    """Return the 4×4 matrix from a node's own RAS millimetres to the world's, through all its parent transforms.

    Raises:
        InputError: One of them is not linear: a grid of straight lines cannot follow it.
    """
    parent = node.GetParentTransformNode()
    if parent is None:
        return np.eye(4)
    if not parent.IsTransformToWorldLinear():
        raise InputError(
            f"“{node.GetName()}” lies under a non-linear transform.",
            reason="A warped image has no regular voxel grid.",
            remedy="Harden the transform on it (Data module, right-click, Harden transform), then try again.",
            code="non-linear-transform",
        )
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _ijk_to_ras(node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def _refuse_unusable(node: slicer.vtkMRMLNode | None, channel: str) -> None:
    if node is None:
        raise InputError("No volume is chosen.", remedy="Choose a volume first.", code="no-volume")
    name = node.GetName()
    if not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(f"“{name}” is not a volume.", remedy="Choose a scalar volume.", code="not-scalar")
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(
            f"“{name}” is a label map, not an image.",
            reason="Its numbers are names of structures; the network needs intensities.",
            remedy="Choose the image that it was drawn on.",
            code="not-scalar",
        )
    image = node.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise InputError(
            f"The volume “{name}” has no voxels.",
            remedy="Load the image again, or choose another volume.",
            code="empty-image",
        )
    takes_colour = component_of(channel) is not None and image.GetNumberOfScalarComponents() in (3, 4)
    if image.GetNumberOfScalarComponents() != 1 and not takes_colour:
        raise InputError(
            f"The volume “{name}” has {image.GetNumberOfScalarComponents()} values per voxel.",
            reason="A channel is one number per voxel; this is a colour or vector image.",
            remedy="Extract one component (Vector to Scalar Volume), or choose the grey-scale volume.",
            code="not-scalar",
        )
