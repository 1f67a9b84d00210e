"""``slicer.app.layoutManager()``: layouts by Slicer's real layout logic, without rendering."""

from __future__ import annotations

from PySide6 import QtCore

from standins.implementations import register
from standins.mrml_widgets import qMRMLPlotWidget
from standins.scene_observer import SceneObserver
from standins.wheel import slicer


@register
class qSlicerLayoutManager(QtCore.QObject):
    layoutChanged = QtCore.Signal(int)
    selectModule = QtCore.Signal(str)
    activeMRMLPlotViewNodeChanged = QtCore.Signal(object)

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        super().__init__()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._scene = scene
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(scene)
        self._plot_widgets: dict[str, qMRMLPlotWidget] = {}
        self._layout = self._arrangement()
        self._observer = SceneObserver(self)
        self._observer.observe(self._logic.GetLayoutNode(), "ModifiedEvent", self._on_layout_node)

    def close(self) -> None:
        """Take the logic off the scene."""
        self._observer.clear()
        self._logic.SetMRMLScene(None)

    def _arrangement(self) -> int:
        node = self._logic.GetLayoutNode()
        return node.GetViewArrangement() if node is not None else 0

    def _on_layout_node(self) -> None:
        if self._arrangement() != self._layout:
            self._layout = self._arrangement()
            self.layoutChanged.emit(self._layout)

    def setLayout(self, layout: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(layout)

    layout = QtCore.Property(int, lambda self: self._arrangement(), setLayout)

    def _views(self, class_name: str) -> list[slicer.vtkMRMLNode]:
        views = self._logic.GetViewNodes()
        nodes = [views.GetItemAsObject(index) for index in range(views.GetNumberOfItems())]
        return [node for node in nodes if node.IsA(class_name)]

    threeDViewCount = QtCore.Property(int, lambda self: len(self._views("vtkMRMLViewNode")))
    tableViewCount = QtCore.Property(int, lambda self: len(self._views("vtkMRMLTableViewNode")))
    plotViewCount = QtCore.Property(int, lambda self: len(self._views("vtkMRMLPlotViewNode")))

    def sliceViewNames(self) -> list[str]:
        return [node.GetLayoutName() for node in self._views("vtkMRMLSliceNode")]

    def plotWidget(self, index: int) -> qMRMLPlotWidget | None:
        views = self._views("vtkMRMLPlotViewNode")
        if not 0 <= index < len(views):
            return None
        widget = self._plot_widgets.setdefault(views[index].GetID(), qMRMLPlotWidget())
        widget.setMRMLPlotViewNode(views[index])
        return widget

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return self._scene

    def layoutLogic(self) -> slicer.vtkMRMLLayoutLogic:
        return self._logic

    def resetSliceViews(self) -> None:
        """Nothing is rendered: nothing to fit."""

    def resetThreeDViews(self) -> None:
        """Nothing is rendered: nothing to fit."""
