"""A click on *Segment tumour*: a real worker behind a launcher, a real segmentation node."""

from __future__ import annotations

import json

import numpy as np
import pytest

from panel.panel_fixtures import INTENDED_USE, OpenPanel


def _report(panel: OpenPanel) -> dict:
    return json.loads(panel.segment.ui.reportText.plainText)


def _expected_mask(panel: OpenPanel, model, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """What the engine says without Slicer, worker or panel, for the study moved by ``shift`` (LPS mm)."""
    from convnextseg_engine.images.study import Study
    from convnextseg_engine.inference.loaded import load
    from convnextseg_engine.inference.segment import segment

    study = panel.study.case.study
    for image in study.channels.values():
        image.SetOrigin([a + b for a, b in zip(image.GetOrigin(), shift, strict=True)])
    return segment(Study(study.channels, "T1"), load(model, "cpu")).mask


def test_the_panel_asks_for_the_models_channels(open_panel: OpenPanel) -> None:
    assert list(open_panel.segment.channels.selectors) == ["T1", "T1c", "T2", "FLAIR"]
    assert open_panel.segment.ui.intendedUseLabel.text == INTENDED_USE
    assert not open_panel.segment.ui.progressWidget.isVisible()
    open_panel.save("1-empty")


def test_without_a_volume_the_panel_says_what_to_do(open_panel: OpenPanel) -> None:
    for selector in open_panel.segment.channels.selectors.values():
        selector.setCurrentNode(None)
    open_panel.segment.ui.segmentButton.click()
    assert open_panel.segment.messages.text.splitlines() == [
        "No volume is chosen.",
        "Choose at least one of the images.",
    ]
    assert open_panel.segment.ui.segmentButton.isEnabled()
    assert open_panel.segmentations == []
    open_panel.save("2-no-volume")


def test_a_click_makes_the_segmentation_that_the_engine_computes(open_panel: OpenPanel, tiny_model) -> None:
    import slicer

    transform = open_panel.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "registration")
    transform.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[1, 0, 0, 7.0], [0, 1, 0, -4.0], [0, 0, 1, 11.0], [0, 0, 0, 1]]))
    )
    for volume in open_panel.study.volumes.values():
        volume.SetAndObserveTransformNodeID(transform.GetID())
    open_panel.choose_volumes()
    open_panel.segment.ui.segmentButton.click()
    open_panel.spin(lambda: "%" in open_panel.segment.ui.progressLabel.text, timeout=240)
    assert not open_panel.segment.ui.segmentButton.isEnabled()
    assert open_panel.segment.ui.cancelButton.isEnabled()
    open_panel.save("3-running")
    open_panel.spin(lambda: not open_panel.segment.running, timeout=240)

    (node,) = open_panel.segmentations
    assert not open_panel.segment.failed, open_panel.segment.messages.text
    content = node.GetSegmentation()
    assert [content.GetNthSegment(n).GetName() for n in range(3)] == ["edema", "core", "enhancing"]
    assert content.GetNthSegment(0).GetTerminology().split("~")[2] == "SCT^79654002^Edema"
    volume = open_panel.study.volumes["T1"]
    assert node.GetTransformNodeID() == transform.GetID()
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is volume
    mask = open_panel.mask_of(node, volume)
    assert set(np.unique(mask)) == {0, 1, 2, 4}, "the test model must mark something of every label"
    np.testing.assert_array_equal(mask, _expected_mask(open_panel, tiny_model, shift=(-7.0, 4.0, 11.0)))

    ui = open_panel.segment.ui
    assert ui.resultWidget.isVisible()
    assert "a-tiny-model v1 · CPU" in ui.ranLabel.text
    edema_ml = np.count_nonzero(mask == 2) * 27 / 1000
    assert _report(open_panel)["volumes_ml"]["edema"] == pytest.approx(edema_ml)
    assert "edema" in ui.volumesLabel.text
    editor = open_panel.panel.review.ui.segmentEditor
    assert editor.segmentationNode() is node
    assert editor.sourceVolumeNode() is volume
    assert not open_panel.panel.review.collapsible.collapsed
    open_panel.save("4-result")


def test_a_second_click_is_warm_and_writes_over_nothing_that_a_person_has_changed(open_panel: OpenPanel) -> None:
    import slicer

    open_panel.choose_volumes()
    open_panel.click_segment()
    (node,) = open_panel.segmentations
    pid = open_panel.collaborators.segment_worker.pid
    assert _report(open_panel)["loaded_now"] is True

    open_panel.click_segment()
    assert open_panel.segmentations == [node], "a result that nobody has touched is refreshed in place"
    assert _report(open_panel)["loaded_now"] is False
    assert open_panel.collaborators.segment_worker.pid == pid
    assert list(open_panel.collaborators.exchange.open().folder.iterdir()) == [], "images are left behind"

    volume = open_panel.study.volumes["T1"]
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, "core", volume)
    array[20:24, 20:24, 20:24] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, "core", volume)
    corrected = open_panel.mask_of(node, volume)
    open_panel.click_segment()
    assert len(open_panel.segmentations) == 2
    np.testing.assert_array_equal(open_panel.mask_of(node, volume), corrected)
    assert "was kept as it is" in open_panel.segment.ui.statusLabel.text
    assert open_panel.collaborators.parameters.result is not node
    open_panel.save("5-corrected-kept")


def test_the_result_lands_on_the_volume_chosen_as_reference(open_panel: OpenPanel) -> None:
    open_panel.choose_volumes()
    selector = open_panel.segment.ui.referenceSelector
    selector.setCurrentIndex(selector.findData("FLAIR"))
    assert open_panel.segment.channels.reference == "FLAIR"
    open_panel.segment.channels.selectors["FLAIR"].setCurrentNode(None)
    assert open_panel.segment.channels.reference == "T1"
    assert list(open_panel.segment.channels.volumes()) == ["T1", "T1c", "T2"]


def test_a_volume_chosen_for_two_channels_is_refused(open_panel: OpenPanel) -> None:
    open_panel.choose_volumes()
    open_panel.segment.channels.selectors["T2"].setCurrentNode(open_panel.study.volumes["FLAIR"])
    open_panel.segment.ui.segmentButton.click()
    assert open_panel.segment.messages.text.startswith("The volume “FLAIR” is chosen for T2 and for FLAIR.")
    assert not open_panel.segment.running


def test_missing_requirements_are_named_with_the_way_to_install_them(
    open_panel: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ConvNeXtSegLib.setup import requirements

    monkeypatch.setattr(requirements, "_installed", lambda name: None if name == "monai" else "99.0")
    open_panel.choose_volumes()
    open_panel.segment.ui.segmentButton.click()
    what, why, what_next = open_panel.segment.messages.text.splitlines()
    assert what == "Python packages that the network needs are missing."
    assert why == "Missing: monai>=1.5."
    assert "Install requirements" in what_next
    assert not open_panel.segment.running
    assert open_panel.collaborators.segment_worker.pid is None
