"""*Review and correct*: where to look first, and Slicer's own Segment Editor with a parameter node of its own."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

import slicer

from ..scene.segmentation import source_volume
from .doubts import Doubts, DoubtsView
from .section import Section

EDITOR_TAG = "ConvNeXtSeg"


class ReviewSection(Section):
    """The second section of the panel.

    Args:
        layout: Layout of the panel.
        scene: Slicer's scene.
    """

    def __init__(self, layout: qt.QVBoxLayout, scene: slicer.vtkMRMLScene):
        super().__init__("review", layout)
        self._scene = scene
        self._editor = self.ui.segmentEditor
        self._editor.setMRMLSegmentEditorNode(self._editor_node())
        self._editor.setMRMLScene(scene)
        self.doubts = DoubtsView(self.ui, scene)
        self.ui.reviewLabel.setText(
            _("Correct the segments here. A segmentation that you have changed is never written over by a later run.")
        )

    def show(self, segmentation: slicer.vtkMRMLSegmentationNode, doubts: Doubts) -> None:
        """Show a segmentation in the editor, over the volume that it belongs to, and what it is unsure of."""
        self.doubts.show(segmentation, doubts)
        self.enter()
        self._editor.setSegmentationNode(segmentation)
        volume = source_volume(segmentation)
        if volume is not None:
            self._editor.setSourceVolumeNode(volume)
        self.open()

    def enter(self) -> None:
        """Take part again when the module is entered or a new scene has come."""
        if self._editor.mrmlSegmentEditorNode() is None:
            self._editor.setMRMLSegmentEditorNode(self._editor_node())
        self._editor.setupViewObservations()
        self._editor.installKeyboardShortcuts()

    def leave(self) -> None:
        """Let go of the views and of the keyboard, when the module is left."""
        self._editor.setActiveEffect(None)
        self._editor.uninstallKeyboardShortcuts()
        self._editor.removeViewObservations()

    def forget(self) -> None:
        """Let go of the scene's nodes before it closes."""
        self.leave()
        self.doubts.forget()
        self._editor.setSegmentationNode(None)
        self._editor.setSourceVolumeNode(None)

    def release(self) -> None:
        """Let go of everything when the panel goes."""
        self.leave()
        self.doubts.release()

    def restore(self) -> None:
        """Use the new scene's editor node after a scene was closed."""
        self._editor.setMRMLSegmentEditorNode(self._editor_node())

    def _editor_node(self) -> slicer.vtkMRMLSegmentEditorNode:
        node = self._scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(EDITOR_TAG)
            node = self._scene.AddNode(node)
        return node
