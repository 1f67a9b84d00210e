"""``qMRMLNodeComboBox`` over a real scene."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from standins.implementations import register
from standins.scene_observer import SceneObserver
from standins.stored import stored
from standins.wheel import slicer


def _refreshing(name: str, default: object, kind: object = None) -> QtCore.Property:
    """A property that decides which nodes are offered."""

    def read(self: qMRMLNodeComboBox) -> object:
        return self.__dict__.get(f"_{name}", default)

    def write(self: qMRMLNodeComboBox, value: object) -> None:
        self.__dict__[f"_{name}"] = value
        self.refresh()

    return QtCore.Property(kind or type(default), read, write)


@register
class qMRMLNodeComboBox(QtWidgets.QWidget):
    currentNodeChanged = QtCore.Signal((object,), (bool,))
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)
    nodeAboutToBeRemoved = QtCore.Signal(object)
    currentNodeRenamed = QtCore.Signal(str)
    nodeAboutToBeEdited = QtCore.Signal(object)

    nodeTypes = _refreshing("nodeTypes", [], "QStringList")
    showHidden = _refreshing("showHidden", False)
    showChildNodeTypes = _refreshing("showChildNodeTypes", True)
    hideChildNodeTypes = _refreshing("hideChildNodeTypes", [], "QStringList")
    noneEnabled = _refreshing("noneEnabled", False)
    noneDisplay = _refreshing("noneDisplay", "None")
    baseName = stored("baseName", "")
    addEnabled = stored("addEnabled", True)
    removeEnabled = stored("removeEnabled", True)
    editEnabled = stored("editEnabled", False)
    renameEnabled = stored("renameEnabled", False)
    selectNodeUponCreation = stored("selectNodeUponCreation", True)
    interactionNodeSingletonTag = stored("interactionNodeSingletonTag", "")
    sizeAdjustPolicy = stored("sizeAdjustPolicy", 1, "QVariant")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None
        self._observer = SceneObserver(self)
        self._node_observer = SceneObserver(self)
        self._attributes: dict[str, dict[str, object]] = {}
        self._current: slicer.vtkMRMLNode | None = None
        self._requested = ""
        self._combo_box = QtWidgets.QComboBox(self)
        self._combo_box.activated.connect(self._on_activated)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)

    # --- the scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is self._scene:
            return
        self._observer.clear()
        self._scene = scene
        if scene is not None:
            self._observer.observe_nodes(scene, scene.NodeAddedEvent, self._on_added)
            self._observer.observe_nodes(scene, scene.NodeAboutToBeRemovedEvent, self._on_about_to_be_removed)
            self._observer.observe_nodes(scene, scene.NodeRemovedEvent, self._on_removed)
            self._observer.observe(scene, scene.EndBatchProcessEvent, self.refresh)
        self.refresh()

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def _on_added(self, node: slicer.vtkMRMLNode) -> None:
        if not self._scene.IsBatchProcessing() and self._offers(node):
            self.refresh()
            self.nodeAdded.emit(node)

    def _on_about_to_be_removed(self, node: slicer.vtkMRMLNode) -> None:
        if self._offers(node):
            self.nodeAboutToBeRemoved.emit(node)

    def _on_removed(self, node: slicer.vtkMRMLNode) -> None:
        if node is self._current or not self._scene.IsBatchProcessing():
            self.refresh()

    def _offers(self, node: slicer.vtkMRMLNode) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for node_type in self.nodeTypes:
            fits = node.IsA(node_type) if self.showChildNodeTypes else node.GetClassName() == node_type
            wanted = self._attributes.get(node_type, {})
            if fits and all(_has_attribute(node, name, value) for name, value in wanted.items()):
                return not any(node.IsA(hidden) for hidden in self.hideChildNodeTypes)
        return False

    def _nodes(self) -> list[slicer.vtkMRMLNode]:
        if self._scene is None:
            return []
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        return [node for node in nodes if self._offers(node)]

    def refresh(self) -> None:
        """Offer what the scene holds now; keep the choice if it is still there."""
        nodes = self._nodes()
        current = self._current if self._current in nodes else None
        wanted = [node for node in nodes if self._requested and node.GetID() == self._requested]
        if wanted:
            current, self._requested = wanted[0], ""
        if current is None and nodes and not self.noneEnabled:
            current = nodes[0]
        self._node_observer.clear()
        self._combo_box.clear()
        if self.noneEnabled:
            self._combo_box.addItem(self.noneDisplay, "")
        for node in nodes:
            self._combo_box.addItem(node.GetName() or node.GetID(), node.GetID())
            self._node_observer.observe(node, "ModifiedEvent", self._rename_items)
        self._choose(current)

    def _rename_items(self) -> None:
        for index in range(self._combo_box.count()):
            node = self._scene.GetNodeByID(self._combo_box.itemData(index) or "")
            if node is not None and self._combo_box.itemText(index) != node.GetName():
                self._combo_box.setItemText(index, node.GetName())
                if node is self._current:
                    self.currentNodeRenamed.emit(node.GetName())

    # --- the choice

    def _choose(self, node: slicer.vtkMRMLNode | None) -> None:
        node_id = "" if node is None else node.GetID()
        self._combo_box.setCurrentIndex(self._combo_box.findData(node_id))
        if node is self._current:
            return
        self._current = node
        self.currentNodeChanged["PyObject"].emit(node)
        self.currentNodeChanged["bool"].emit(node is not None)
        self.currentNodeIDChanged.emit(node_id)

    def _on_activated(self, index: int) -> None:
        self._choose(self._scene.GetNodeByID(self._combo_box.itemData(index)) if self._scene else None)
        self.nodeActivated.emit(self._current)

    def currentNode(self) -> slicer.vtkMRMLNode | None:
        return self._current

    def setCurrentNode(self, node: slicer.vtkMRMLNode | str | None) -> None:
        if isinstance(node, str):
            self.setCurrentNodeID(node)
        else:
            self._choose(node if node is not None and node in self._nodes() else None)

    def setCurrentNodeID(self, node_id: str) -> None:
        found = [node for node in self._nodes() if node.GetID() == node_id]
        # An ID that is not there yet is chosen as soon as it is.
        self._requested = "" if found else node_id
        self._choose(found[0] if found else None)

    def _current_id(self) -> str:
        return "" if self._current is None else self._current.GetID()

    currentNodeID = QtCore.Property(str, _current_id, setCurrentNodeID)
    currentNodeId = QtCore.Property(str, _current_id, setCurrentNodeID)

    def setCurrentNodeIndex(self, index: int) -> None:
        nodes = self._nodes()
        self._choose(nodes[index] if 0 <= index < len(nodes) else None)

    def nodeCount(self) -> int:
        return len(self._nodes())

    def nodeFromIndex(self, index: int) -> slicer.vtkMRMLNode | None:
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def addAttribute(self, node_type: str, name: str, value: object = None) -> None:
        self._attributes.setdefault(node_type, {})[name] = value
        self.refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes.get(node_type, {}).pop(name, None)
        self.refresh()

    def addNode(self, node_type: str = "") -> slicer.vtkMRMLNode:
        kind = node_type or self.nodeTypes[0]
        node = self._scene.AddNewNodeByClass(
            kind, self._scene.GenerateUniqueName(self.baseName or kind[len("vtkMRML") :])
        )
        if self.selectNodeUponCreation:
            self._choose(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if self._current is not None:
            self._scene.RemoveNode(self._current)


def _has_attribute(node: slicer.vtkMRMLNode, name: str, value: object) -> bool:
    found = node.GetAttribute(name)
    return found is not None and (value is None or found == str(value))
