"""``qMRMLWidget`` and the widgets that only show something of the scene."""

from __future__ import annotations

from PySide6 import QtCore, QtWidgets

from standins.implementations import register
from standins.scene_observer import SceneObserver
from standins.stored import add_setters, stored
from standins.wheel import slicer


@register
class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene


@register
class qSlicerWidget(qMRMLWidget):
    """The same door to the scene as ``qMRMLWidget``; base of the module widgets."""


@register
class qMRMLPlotWidget(qMRMLWidget):
    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._view_node: slicer.vtkMRMLPlotViewNode | None = None

    def setMRMLPlotViewNode(self, node: slicer.vtkMRMLPlotViewNode | None) -> None:
        self._view_node = node

    def mrmlPlotViewNode(self) -> slicer.vtkMRMLPlotViewNode | None:
        return self._view_node


@register
class qMRMLSegmentsTableView(qMRMLWidget):
    selectionChanged = QtCore.Signal(QtCore.QItemSelection, QtCore.QItemSelection)
    segmentAboutToBeModified = QtCore.Signal(str)
    selectionMode = stored("selectionMode", 3)
    headerVisible = stored("headerVisible", True)
    visibilityColumnVisible = stored("visibilityColumnVisible", True)
    colorColumnVisible = stored("colorColumnVisible", True)
    opacityColumnVisible = stored("opacityColumnVisible", True)
    statusColumnVisible = stored("statusColumnVisible", False)
    layerColumnVisible = stored("layerColumnVisible", False)
    readOnly = stored("readOnly", False)
    filterBarVisible = stored("filterBarVisible", False)
    textFilter = stored("textFilter", "")
    jumpToSelectedSegmentEnabled = stored("jumpToSelectedSegmentEnabled", False)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: slicer.vtkMRMLSegmentationNode | None = None
        self._observer = SceneObserver(self)
        self._table = QtWidgets.QTableWidget(0, 1, self)
        self._table.setHorizontalHeaderLabels(["Name"])
        self._table.setSelectionBehavior(QtWidgets.QTableWidget.SelectRows)
        self._table.selectionModel().selectionChanged.connect(self.selectionChanged)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)

    segmentCount = QtCore.Property(int, lambda self: self._table.rowCount())

    def setSegmentationNode(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        self._observer.clear()
        self._node = node
        if node is not None:
            for event in (slicer.vtkSegmentation.SegmentAdded, slicer.vtkSegmentation.SegmentRemoved):
                self._observer.observe(node, event, self._show)
            self._observer.observe(node, slicer.vtkSegmentation.SegmentModified, self._show)
        self._show()

    def segmentationNode(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self._node

    def _segments(self) -> list[tuple[str, str]]:
        if self._node is None:
            return []
        segmentation = self._node.GetSegmentation()
        return [(name, segmentation.GetSegment(name).GetName()) for name in segmentation.GetSegmentIDs()]

    def _show(self) -> None:
        segments = self._segments()
        self._table.setRowCount(len(segments))
        for row, (segment_id, name) in enumerate(segments):
            item = QtWidgets.QTableWidgetItem(name)
            item.setData(QtCore.Qt.UserRole, segment_id)
            self._table.setItem(row, 0, item)

    def displayedSegmentIDs(self) -> list[str]:
        return [segment_id for segment_id, _ in self._segments()]

    def selectedSegmentIDs(self) -> list[str]:
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [self._table.item(row, 0).data(QtCore.Qt.UserRole) for row in rows]

    def setSelectedSegmentIDs(self, segment_ids: list[str]) -> None:
        self._table.clearSelection()
        for row in range(self._table.rowCount()):
            item = self._table.item(row, 0)
            item.setSelected(item.data(QtCore.Qt.UserRole) in segment_ids)

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def rowForSegmentID(self, segment_id: str) -> int:
        displayed = self.displayedSegmentIDs()
        return displayed.index(segment_id) if segment_id in displayed else -1


add_setters(
    qMRMLSegmentsTableView,
    *("selectionMode", "headerVisible", "visibilityColumnVisible", "colorColumnVisible", "opacityColumnVisible"),
    *("statusColumnVisible", "layerColumnVisible", "readOnly", "filterBarVisible", "textFilter"),
    "jumpToSelectedSegmentEnabled",
)
