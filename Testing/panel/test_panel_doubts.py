"""*Review*: how sure each label is, the slices to look at first, and the map that is never in the way."""

from __future__ import annotations

import numpy as np
import pytest

from panel.panel_fixtures import OpenPanel


@pytest.fixture
def segmented(open_panel: OpenPanel) -> OpenPanel:
    """The panel after a click on *Segment tumour*, with slice views."""
    import slicer

    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    for name in slicer.app.layoutManager().sliceViewNames():  # a rendered slice view has one of these
        open_panel.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode").SetLayoutName(name)
    open_panel.choose_volumes()
    open_panel.click_segment()
    assert not open_panel.segment.failed, open_panel.segment.messages.text
    return open_panel


def _nodes(panel: OpenPanel, class_name: str) -> list:
    nodes = panel.scene.GetNodesByClass(class_name)
    return [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]


def _expected(panel: OpenPanel, model):
    """What the engine says without Slicer, worker or panel."""
    from convnextseg_engine.images.study import Study
    from convnextseg_engine.inference.loaded import load
    from convnextseg_engine.inference.options import SegmentOptions
    from convnextseg_engine.inference.segment import segment

    study = Study(panel.study.case.study.channels, "T1")
    return segment(study, load(model, "cpu"), options=SegmentOptions(uncertainty=True)).uncertainty


def test_the_slices_and_the_map_are_those_of_the_engine(segmented: OpenPanel, tiny_model) -> None:
    import slicer
    from ConvNeXtSegLib.scene.volumes import local_grid

    ui = segmented.panel.review.ui
    assert ui.doubtsWidget.isVisible()
    expected = _expected(segmented, tiny_model)
    table = ui.slicesTable
    shown = [int(table.item(row, 0).text()) for row in range(table.rowCount)]
    assert shown == [one.index for one in expected.slices]
    assert table.item(0, 1).text() == f"{expected.slices[0].expected_error_ml:.2f} mL"
    for label in expected.labels:
        assert f"{label.name} {round(100 * label.confidence)} %" in ui.confidenceLabel.text
    assert "not calibrated" in ui.confidenceLabel.text
    (segmentation,) = segmented.segmentations
    assert segmentation.GetName() in ui.slicesLabel.text

    views = _nodes(segmented, "vtkMRMLSliceCompositeNode")
    assert len(views) >= 3
    views[0].SetForegroundVolumeID(segmented.study.volumes["FLAIR"].GetID())
    before = [(view.GetForegroundVolumeID(), view.GetForegroundOpacity()) for view in views]
    volumes = segmented.segment.channels.volumes()
    ui.uncertaintyMapCheckBox.setChecked(True)
    (map_node,) = [node for node in _nodes(segmented, "vtkMRMLScalarVolumeNode") if node.GetHideFromEditors()]
    np.testing.assert_allclose(slicer.util.arrayFromVolume(map_node), expected.entropy, atol=1e-6)
    assert local_grid(map_node).same_as(local_grid(segmented.study.volumes["T1"]))
    assert {view.GetForegroundVolumeID() for view in views} == {map_node.GetID()}
    assert not map_node.GetSaveWithScene()
    segmented.spin()
    assert segmented.segment.channels.volumes() == volumes, "the map must not be taken for an image to segment"
    segmented.save("21-doubts")

    ui.uncertaintyMapCheckBox.setChecked(False)
    assert [node for node in _nodes(segmented, "vtkMRMLScalarVolumeNode") if node.GetHideFromEditors()] == []
    assert [(view.GetForegroundVolumeID(), view.GetForegroundOpacity()) for view in views] == before


def test_a_click_moves_the_slice_views_to_the_slice(segmented: OpenPanel) -> None:
    import slicer
    from ConvNeXtSegLib.scene.volumes import world_grid

    transform = segmented.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[1, 0, 0, 7.0], [0, 1, 0, -4.0], [0, 0, 1, 11.0], [0, 0, 0, 1]]))
    )
    volume = segmented.study.volumes["T1"]
    volume.SetAndObserveTransformNodeID(transform.GetID())
    table = segmented.panel.review.ui.slicesTable
    (red,) = [node for node in _nodes(segmented, "vtkMRMLSliceNode") if node.GetLayoutName() == "Red"]
    for row in (2, 0):
        table.setCurrentCell(row, 0)
        index = int(table.item(row, 0).text())
        height = (world_grid(volume).ijk_to_lps @ (0, 0, index, 1))[2]
        assert red.GetSliceToRAS().GetElement(2, 3) == pytest.approx(height)


def test_corrections_keep_the_list_and_it_goes_with_the_segmentation(segmented: OpenPanel) -> None:
    import slicer

    ui, volume = segmented.panel.review.ui, segmented.study.volumes["T1"]
    (node,) = segmented.segmentations
    rows = ui.slicesTable.rowCount
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, "core", volume)
    array[20:24, 20:24, 20:24] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, "core", volume)
    assert ui.doubtsWidget.isVisible()
    assert ui.slicesTable.rowCount == rows > 0
    ui.uncertaintyMapCheckBox.setChecked(True)
    segmented.scene.RemoveNode(segmented.study.volumes["T2"])
    assert ui.doubtsWidget.isVisible(), "another node that goes is no reason"
    segmented.scene.RemoveNode(node)
    assert not ui.doubtsWidget.isVisible()
    assert [node for node in _nodes(segmented, "vtkMRMLScalarVolumeNode") if node.GetHideFromEditors()] == []


def test_a_closed_scene_takes_the_list_along(segmented: OpenPanel) -> None:
    segmented.panel.review.ui.uncertaintyMapCheckBox.setChecked(True)
    segmented.scene.Clear(0)
    assert not segmented.panel.review.ui.doubtsWidget.isVisible()
    assert not segmented.panel.review.ui.uncertaintyMapCheckBox.isChecked()
