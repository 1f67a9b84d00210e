"""The uncertainty of each voxel, laid over the slice views; it never stands among the user's own volumes."""

from __future__ import annotations

import numpy as np
import slicer.util

import slicer

# Slicer's own: dark where little, bright where much.
_COLOURS = "vtkMRMLColorTableNodeFileInferno.txt"
_OPACITY = 0.5
# Below this a voxel is as good as sure, and the image beneath is to be seen as it is.
_SHOWN_FROM = 0.05


class UncertaintyMap:
    """A volume node that lies in front of the images while it is shown, and is gone when it is not.

    It is hidden from lists of volumes, so that nothing takes it for an image to segment, and not saved with the scene.

    Args:
        scene: The scene.
    """

    def __init__(self, scene: slicer.vtkMRMLScene):
        self._scene = scene
        self._node_id: str | None = None
        self._before: dict[str, tuple[str | None, float]] = {}

    @property
    def node(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The node while it is shown."""
        return self._scene.GetNodeByID(self._node_id) if self._node_id else None

    def show(self, entropy: np.ndarray, volume: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Lay the map over all slice views.

        Args:
            entropy: 0..1, float32, axes ``(D, H, W)`` of the volume.
            volume: The volume that it belongs to.
        """
        self.hide()
        node = slicer.vtkMRMLScalarVolumeNode()
        node.SetName(f"{volume.GetName()} uncertainty")
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node = self._scene.AddNode(node)
        self._node_id = node.GetID()
        slicer.util.updateVolumeFromArray(node, entropy)
        node.CopyOrientation(volume)
        node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAndObserveColorNodeID(_COLOURS)
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(0.0, 1.0)
        display.SetAutoThreshold(False)
        display.SetThreshold(_SHOWN_FROM, 1.0)
        display.SetApplyThreshold(True)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", self._scene):
            self._before[view.GetID()] = (view.GetForegroundVolumeID(), view.GetForegroundOpacity())
            view.SetForegroundVolumeID(node.GetID())
            view.SetForegroundOpacity(_OPACITY)

    def hide(self) -> None:
        """Take it off the views, which show again what they showed before, and out of the scene."""
        node, before = self.node, self._before
        for view_id, (foreground, opacity) in before.items():
            view = self._scene.GetNodeByID(view_id)
            if view is not None and view.GetForegroundVolumeID() == self._node_id:  # else the user chose another
                view.SetForegroundVolumeID(foreground)
                view.SetForegroundOpacity(opacity)
        self._node_id, self._before = None, {}
        if node is not None:
            self._scene.RemoveNode(node)

    def forget(self) -> None:
        """Let go of the node, because the scene closes."""
        self._node_id, self._before = None, {}
