"""``qMRMLSegmentEditorWidget``: keeps a real segment editor node up to date and remembers what it was asked to do."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from standins.implementations import register
from standins.mrml_widgets import qMRMLWidget
from standins.stored import add_setters, stored
from standins.wheel import slicer

_EFFECTS = ("Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices")
_EFFECTS += ("Margin", "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume")


class SegmentEditorMisuse(AssertionError):
    """Called in an order in which Slicer's widget loses or mixes up its nodes."""


@register
class qSlicerSegmentEditorAbstractEffect(QtCore.QObject):
    """An effect by name; what effects do to segments is Slicer's affair and not imitated."""

    name = QtCore.Property(str, lambda self: self.objectName())


@register
class qMRMLSegmentEditorWidget(qMRMLWidget):
    currentSegmentIDChanged = QtCore.Signal(str)
    sourceVolumeNodeChanged = QtCore.Signal(object)
    segmentationNodeChanged = QtCore.Signal(object)

    segmentationNodeSelectorVisible = stored("segmentationNodeSelectorVisible", True)
    sourceVolumeNodeSelectorVisible = stored("sourceVolumeNodeSelectorVisible", True)
    maskingSectionVisible = stored("maskingSectionVisible", True)
    specifyGeometryButtonVisible = stored("specifyGeometryButtonVisible", True)
    show3DButtonVisible = stored("show3DButtonVisible", True)
    addRemoveSegmentButtonsVisible = stored("addRemoveSegmentButtonsVisible", True)
    autoShowSourceVolumeNode = stored("autoShowSourceVolumeNode", True)
    switchToSegmentationsButtonVisible = stored("switchToSegmentationsButtonVisible", True)
    undoEnabled = stored("undoEnabled", True)
    maximumNumberOfUndoStates = stored("maximumNumberOfUndoStates", 10)
    readOnly = stored("readOnly", False)
    effectButtonStyle = stored("effectButtonStyle", 0, "QVariant")
    effectColumnCount = stored("effectColumnCount", 2)
    unorderedEffectsVisible = stored("unorderedEffectsVisible", True)
    defaultTerminologyEntrySettingsKey = stored("defaultTerminologyEntrySettingsKey", "")
    defaultTerminologyEntry = stored("defaultTerminologyEntry", "")
    jumpToSelectedSegmentEnabled = stored("jumpToSelectedSegmentEnabled", False)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.calls: list[tuple] = []
        self.shortcuts_installed = 0
        self.observes_views = False
        self._editor_node: slicer.vtkMRMLSegmentEditorNode | None = None
        self._effects = {name: qSlicerSegmentEditorAbstractEffect(self) for name in _EFFECTS}
        for name, effect in self._effects.items():
            effect.setObjectName(name)
        layout = QtWidgets.QVBoxLayout(self)
        self._label = QtWidgets.QLabel("Segment Editor", self)
        self._label.setMinimumHeight(120)
        layout.addWidget(self._label)

    def _called(self, name: str, *arguments: object) -> None:
        self.calls.append((name, *arguments))

    # --- nodes

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        self._called("setMRMLScene", scene)
        if scene is not None and self._editor_node is None:
            raise SegmentEditorMisuse("setMRMLSegmentEditorNode has to come before setMRMLScene")
        super().setMRMLScene(scene)
        self.observes_views = scene is not None

    def setMRMLSegmentEditorNode(self, node: slicer.vtkMRMLSegmentEditorNode | None) -> None:
        self._called("setMRMLSegmentEditorNode", node)
        self._editor_node = node
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> slicer.vtkMRMLSegmentEditorNode | None:
        return self._editor_node

    def _need_node(self, name: str) -> slicer.vtkMRMLSegmentEditorNode:
        if self._editor_node is None:
            raise SegmentEditorMisuse(f"{name} without a segment editor node does nothing in Slicer")
        return self._editor_node

    def setSegmentationNode(self, node: slicer.vtkMRMLNode | None) -> None:
        self._called("setSegmentationNode", node)
        editor_node = self._need_node("setSegmentationNode")
        if editor_node.GetSegmentationNode() is node:
            return
        editor_node.SetAndObserveSegmentationNode(node)
        # Slicer's editor leaves the effect and takes the first segment and the volume that the node was made from.
        self.setActiveEffectByName("")
        ids = [] if node is None else list(node.GetSegmentation().GetSegmentIDs())
        self.setCurrentSegmentID(ids[0] if ids else "")
        self.segmentationNodeChanged.emit(node)

    def segmentationNode(self) -> slicer.vtkMRMLSegmentationNode | None:
        return None if self._editor_node is None else self._editor_node.GetSegmentationNode()

    def segmentationNodeID(self) -> str:
        node = self.segmentationNode()
        return "" if node is None else node.GetID()

    def setSegmentationNodeID(self, node_id: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(node_id))

    def setSourceVolumeNode(self, node: slicer.vtkMRMLNode | None) -> None:
        self._called("setSourceVolumeNode", node)
        editor_node = self._need_node("setSourceVolumeNode")
        if node is not None and editor_node.GetSegmentationNode() is None:
            raise SegmentEditorMisuse("setSourceVolumeNode has to come after setSegmentationNode")
        if editor_node.GetSourceVolumeNode() is not node:
            editor_node.SetAndObserveSourceVolumeNode(node)
            self.sourceVolumeNodeChanged.emit(node)

    def sourceVolumeNode(self) -> slicer.vtkMRMLVolumeNode | None:
        return None if self._editor_node is None else self._editor_node.GetSourceVolumeNode()

    def sourceVolumeNodeID(self) -> str:
        node = self.sourceVolumeNode()
        return "" if node is None else node.GetID()

    def setSourceVolumeNodeID(self, node_id: str) -> None:
        self.setSourceVolumeNode(self._scene.GetNodeByID(node_id))

    def setCurrentSegmentID(self, segment_id: str) -> None:
        editor_node = self._need_node("setCurrentSegmentID")
        if (editor_node.GetSelectedSegmentID() or "") != segment_id:
            editor_node.SetSelectedSegmentID(segment_id)
            self.currentSegmentIDChanged.emit(segment_id)

    def currentSegmentID(self) -> str:
        return "" if self._editor_node is None else self._editor_node.GetSelectedSegmentID() or ""

    def updateWidgetFromMRML(self) -> None:
        node = self.segmentationNode()
        self._label.setText("Segment Editor" if node is None else f"Segment Editor: {node.GetName()}")

    # --- effects

    def setActiveEffectByName(self, name: str) -> None:
        self._called("setActiveEffectByName", name)
        if self._editor_node is not None:
            self._editor_node.SetActiveEffectName(name)

    def setActiveEffect(self, effect: qSlicerSegmentEditorAbstractEffect | None) -> None:
        self.setActiveEffectByName("" if effect is None else effect.objectName())

    def activeEffect(self) -> qSlicerSegmentEditorAbstractEffect | None:
        name = "" if self._editor_node is None else self._editor_node.GetActiveEffectName()
        return self.effectByName(name) if name else None

    def effectByName(self, name: str) -> qSlicerSegmentEditorAbstractEffect | None:
        return self._effects.get(name)

    def availableEffectNames(self) -> list[str]:
        return list(_EFFECTS)

    def setEffectNameOrder(self, names: list[str]) -> None:
        self._called("setEffectNameOrder", tuple(names))

    # --- views and keys

    def setupViewObservations(self) -> None:
        self._called("setupViewObservations")
        self.observes_views = True

    def removeViewObservations(self) -> None:
        self._called("removeViewObservations")
        self.observes_views = False

    def installKeyboardShortcuts(self, parent: QtWidgets.QWidget | None = None) -> None:
        self._called("installKeyboardShortcuts")
        self.shortcuts_installed += 1

    def uninstallKeyboardShortcuts(self) -> None:
        self._called("uninstallKeyboardShortcuts")
        self.shortcuts_installed = 0

    def rotateSliceViewsToSegmentation(self) -> None:
        self._called("rotateSliceViewsToSegmentation")

    def jumpSlices(self) -> None:
        self._called("jumpSlices")

    def undo(self) -> None:
        self._called("undo")

    def redo(self) -> None:
        self._called("redo")


add_setters(
    qMRMLSegmentEditorWidget,
    *("segmentationNodeSelectorVisible", "sourceVolumeNodeSelectorVisible", "autoShowSourceVolumeNode"),
    *("maskingSectionVisible", "specifyGeometryButtonVisible", "show3DButtonVisible", "undoEnabled", "readOnly"),
    *("addRemoveSegmentButtonsVisible", "switchToSegmentationsButtonVisible", "maximumNumberOfUndoStates"),
    *("effectButtonStyle", "effectColumnCount", "jumpToSelectedSegmentEnabled"),
)
