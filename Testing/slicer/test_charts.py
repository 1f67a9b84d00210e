"""Loss and Dice of a running training appear in Slicer's plot views."""

from __future__ import annotations

import numpy as np
import pytest

import slicer
from ConvNeXtSegLib.charts import TrainingCharts, show_in_layout

_CLASSES = ("vtkMRMLTableNode", "vtkMRMLPlotSeriesNode", "vtkMRMLPlotChartNode")


@pytest.fixture
def shown():
    return []


@pytest.fixture
def charts(scene, shown):
    charts = TrainingCharts(scene, shown.append)
    yield charts
    charts.release()


def chart_node(scene):
    (chart,) = slicer.util.getNodesByClass("vtkMRMLPlotChartNode", scene)
    return chart


def curves(scene):
    """Series name to (steps, values), through the nodes that the plot view reads."""
    chart = chart_node(scene)
    found = {}
    for n in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(n)
        table = series.GetTableNode()
        steps = slicer.util.arrayFromTableColumn(table, series.GetXColumnName())
        values = slicer.util.arrayFromTableColumn(table, series.GetYColumnName())
        found[series.GetName()] = (steps.tolist(), values.tolist())
    return found


def test_loss_and_dice_become_curves(scene, charts):
    charts.append({"step": 1, "loss": 1.5})
    charts.append({"step": 2, "loss": 1.25, "validation_dice": {"whole tumour": 0.5, "enhancing tumour": 0.25}})
    charts.append({"step": 3, "loss": 1.0})
    charts.append({"step": 4, "validation_dice": {"whole tumour": 0.75, "enhancing tumour": 0.5}})
    assert curves(scene) == {
        "loss": ([1, 2, 3], [1.5, 1.25, 1.0]),
        "Dice whole tumour": ([2, 4], [0.5, 0.75]),
        "Dice enhancing tumour": ([2, 4], [0.25, 0.5]),
    }


def test_a_region_that_could_not_be_measured_leaves_a_gap(scene, charts):
    charts.append({"step": 1, "validation_dice": {"whole tumour": 0.5, "enhancing tumour": None}})
    charts.append({"step": 2, "validation_dice": {"whole tumour": 0.6, "enhancing tumour": 0.4}})
    steps, values = curves(scene)["Dice enhancing tumour"]
    assert steps == [1, 2]
    assert np.isnan(values[0])
    assert values[1] == 0.4


def test_nodes_are_made_once_and_reused(scene, charts):
    charts.append({"step": 1, "loss": 1, "validation_dice": {"whole tumour": 0.1}})
    before = node_ids(scene)
    for step in range(2, 20):
        charts.append({"step": step, "loss": 1 / step, "validation_dice": {"whole tumour": 0.1}})
    assert node_ids(scene) == before
    assert len(curves(scene)["loss"][0]) == 19


def test_the_chart_is_brought_on_screen_once(scene, charts, shown):
    for step in range(3):
        charts.append({"step": step, "loss": 1})
    assert shown == [chart_node(scene)]


def test_slicer_shows_the_chart_in_a_layout_with_a_plot(mrml):
    scene = mrml.scene
    layout = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.AddLayoutDescription(layout.SlicerLayoutFourUpPlotView, "<layout/>")
    charts = TrainingCharts(scene, show_in_layout)
    charts.append({"step": 1, "loss": 1})
    charts.release()
    assert mrml.application_logic.GetSelectionNode().GetActivePlotChartID() == chart_node(scene).GetID()


def test_the_plot_view_is_told_of_every_point(scene, charts):
    charts.append({"step": 1, "loss": 1})
    told = []
    chart = chart_node(scene)
    tag = chart.AddObserver("ModifiedEvent", lambda *_: told.append(1))
    charts.append({"step": 2, "loss": 0.5})
    chart.RemoveObserver(tag)
    assert told


def test_a_resumed_training_replaces_the_steps_it_repeats(scene, charts):
    for step in (10, 20, 30):
        charts.append({"step": step, "loss": 1.0, "validation_dice": {"whole tumour": 0.3}})
    charts.append({"step": 20, "loss": 0.5, "validation_dice": {"whole tumour": 0.4}})
    assert curves(scene) == {"loss": ([10, 20], [1.0, 0.5]), "Dice whole tumour": ([10, 20], [0.3, 0.4])}


def test_loss_and_dice_of_one_step_may_come_in_two_events(scene, charts):
    charts.append({"step": 10, "loss": 1.0})
    charts.append({"step": 10, "validation_dice": {"whole tumour": 0.3}})
    charts.append({"step": 11, "loss": 0.9})
    assert curves(scene) == {"loss": ([10, 11], [1.0, 0.9]), "Dice whole tumour": ([10], [0.3])}


def test_an_event_that_is_no_point_of_a_curve_draws_nothing(scene, charts, shown):
    charts.append({"epoch_seconds": 3})
    assert shown == []
    assert node_ids(scene) == set()


def test_reset_removes_the_nodes(scene, charts, shown):
    charts.append({"step": 1, "loss": 1, "validation_dice": {"whole tumour": 0.1}})
    charts.reset()
    assert node_ids(scene) == set()
    charts.append({"step": 1, "loss": 2})
    assert curves(scene) == {"loss": ([1], [2])}
    assert len(shown) == 2


def test_after_closing_the_scene_the_whole_curve_comes_back(scene, charts):
    charts.append({"step": 1, "loss": 1})
    scene.Clear(False)
    assert node_ids(scene) == set()
    charts.append({"step": 2, "loss": 0.5})
    assert curves(scene) == {"loss": ([1, 2], [1, 0.5])}


def test_nothing_is_created_while_the_scene_is_closing(scene, charts):
    charts.append({"step": 1, "loss": 1})
    moments = (scene.StartCloseEvent, scene.NodeAboutToBeRemovedEvent, scene.NodeRemovedEvent)
    tags = [scene.AddObserver(event, lambda *_: charts.append({"step": 2, "loss": 0.5})) for event in moments]
    scene.Clear(False)
    for tag in tags:
        scene.RemoveObserver(tag)
    assert node_ids(scene) == set()
    charts.append({"step": 3, "loss": 0.25})
    assert curves(scene) == {"loss": ([1, 2, 3], [1, 0.5, 0.25])}


@pytest.mark.parametrize("class_name", _CLASSES)
def test_a_person_may_delete_any_of_the_nodes(scene, charts, class_name):
    charts.append({"step": 1, "loss": 1, "validation_dice": {"whole tumour": 0.1}})
    for node in slicer.util.getNodesByClass(class_name, scene):
        scene.RemoveNode(node)
    charts.append({"step": 2, "loss": 0.5, "validation_dice": {"whole tumour": 0.2}})
    assert curves(scene) == {"loss": ([1, 2], [1, 0.5]), "Dice whole tumour": ([1, 2], [0.1, 0.2])}


def test_the_curves_are_not_saved_with_the_patient(scene, charts, tmp_path):
    charts.append({"step": 1, "loss": 1, "validation_dice": {"whole tumour": 0.1}})
    path = tmp_path / "scene.mrml"
    scene.SetURL(str(path))
    assert scene.Commit(str(path))
    text = path.read_text(encoding="utf-8")
    assert "Fine-tuning" not in text
    assert "PlotSeries" not in text


def node_ids(scene):
    return {node.GetID() for name in _CLASSES for node in slicer.util.getNodesByClass(name, scene)}
