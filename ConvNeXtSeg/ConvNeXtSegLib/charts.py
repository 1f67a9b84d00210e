"""Live curves of a training in Slicer's own plot views: loss per step, and Dice of each region where measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

import slicer

_STEP = "step"
_LOSS = "loss"


class TrainingCharts:
    """One chart with the loss and the validation Dice of the running training.

    Loss and Dice are measured at different steps, so they have a table each. The points are kept here as well: if the
    scene is closed while the training goes on, the chart comes back in the new scene with the whole curve. The nodes
    are a view of the run, not of the patient, and are not saved with the scene.

    Args:
        scene: The application's scene.
        show: Called with the chart node when it has been made, to bring a plot view on screen.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, show: Callable[[slicer.vtkMRMLPlotChartNode], None]) -> None:
        self._scene = scene
        self._show = show
        self._loss: list[tuple[float, float]] = []
        self._dice: list[tuple[float, dict[str, float]]] = []
        self._node_ids: dict[str, str] = {}
        self._tag = scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, lambda *_: self._node_ids.clear())

    def append(self, metrics: Mapping[str, Any]) -> None:
        """Add what one metrics event of the training says.

        Args:
            metrics: ``step`` and any of ``loss`` (a number) and ``validation_dice`` (region to Dice in 0..1, or None
                for a region that no validation case has). An event without ``step`` is not a point of a curve and is
                ignored.
        """
        if _STEP not in metrics:
            return
        step = float(metrics[_STEP])
        # A resumed training repeats the steps since its last checkpoint: what comes now is what counts. Loss and Dice
        # of one step may come in two events.
        self._loss = [point for point in self._loss if point[0] <= step]
        self._dice = [point for point in self._dice if point[0] <= step]
        if metrics.get(_LOSS) is not None:
            self._loss = [point for point in self._loss if point[0] < step] + [(step, float(metrics[_LOSS]))]
        if metrics.get("validation_dice"):
            scores = {region: np.nan if v is None else float(v) for region, v in metrics["validation_dice"].items()}
            self._dice = [point for point in self._dice if point[0] < step] + [(step, scores)]
        if not self._scene.IsClosing():
            self._draw()

    def reset(self) -> None:
        """Forget all points and remove the nodes; call it before a new training."""
        self._loss, self._dice = [], []
        for node_id in self._node_ids.values():
            node = self._scene.GetNodeByID(node_id)
            if node is not None:
                self._scene.RemoveNode(node)
        self._node_ids.clear()

    def release(self) -> None:
        """Stop observing the scene; the chart stays."""
        self._scene.RemoveObserver(self._tag)

    def _draw(self) -> None:
        chart_is_new = self._existing("chart") is None
        chart = self._node("chart", "vtkMRMLPlotChartNode", "Fine-tuning")
        if chart_is_new:
            chart.SetTitle("Fine-tuning")
            chart.SetXAxisTitle("step")
            chart.SetYAxisTitle("loss, Dice")
        if self._loss:
            steps, values = np.array(self._loss).T
            self._fill("loss table", {_STEP: steps, _LOSS: values})
            self._add_series(chart, "loss table", _LOSS)
        if self._dice:
            regions = list(dict.fromkeys(region for _, scores in self._dice for region in scores))
            columns = {r: np.array([scores.get(r, np.nan) for _, scores in self._dice]) for r in regions}
            self._fill("Dice table", {_STEP: np.array([step for step, _ in self._dice]), **columns})
            for region in regions:
                self._add_series(chart, "Dice table", region)
        chart.Modified()
        if chart_is_new:
            self._show(chart)

    def _fill(self, key: str, columns: Mapping[str, np.ndarray]) -> None:
        table = vtk.vtkTable()
        for name, values in columns.items():
            column = numpy_to_vtk(np.ascontiguousarray(values, dtype=np.float64), deep=True)
            column.SetName(name)
            table.AddColumn(column)
        self._node(key, "vtkMRMLTableNode", f"Fine-tuning {key}", hidden=True).SetAndObserveTable(table)

    def _add_series(self, chart: slicer.vtkMRMLPlotChartNode, table_key: str, column: str) -> None:
        key = f"{table_key}/{column}"
        is_new = self._existing(key) is None
        series = self._node(key, "vtkMRMLPlotSeriesNode", column if column == _LOSS else f"Dice {column}", hidden=True)
        if is_new:
            series.SetXColumnName(_STEP)
            series.SetYColumnName(column)
            series.SetPlotType(series.PlotTypeScatter)
            series.SetMarkerStyle(series.MarkerStyleNone if column == _LOSS else series.MarkerStyleCircle)
            series.SetUniqueColor()
        # Also for a series that is there already: a person may have deleted the table or the chart.
        if series.GetTableNodeID() != self._node_ids[table_key]:
            series.SetAndObserveTableNodeID(self._node_ids[table_key])
        if not chart.HasPlotSeriesNodeID(series.GetID()):
            chart.AddAndObservePlotSeriesNodeID(series.GetID())

    def _existing(self, key: str) -> slicer.vtkMRMLNode | None:
        node_id = self._node_ids.get(key)
        return self._scene.GetNodeByID(node_id) if node_id else None

    def _node(self, key: str, class_name: str, name: str, hidden: bool = False) -> slicer.vtkMRMLNode:
        node = self._existing(key)
        if node is None:
            node = self._scene.AddNewNodeByClass(class_name, name)
            node.SetSaveWithScene(False)
            node.SetHideFromEditors(hidden)
            self._node_ids[key] = node.GetID()
        return node


def show_in_layout(chart: slicer.vtkMRMLPlotChartNode) -> None:
    """Show ``chart`` in a plot view of the running application, switching to a layout that has one if needed."""
    slicer.modules.plots.logic().ShowChartInLayout(chart)
