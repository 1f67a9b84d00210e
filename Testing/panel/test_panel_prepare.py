"""*Prepare*: what is done before a segmentation, shown step by step, and nothing in the scene changes."""

from __future__ import annotations

import re
import types

import numpy as np
import pytest

from panel.panel_fixtures import OpenPanel


def _move(panel: OpenPanel, channel: str, shift_mm: float) -> None:
    """Move one volume towards the head, as a patient may between two sequences."""
    volume = panel.study.volumes[channel]
    origin = list(volume.GetOrigin())
    volume.SetOrigin(origin[0], origin[1], origin[2] + shift_mm)


def _brain(panel: OpenPanel) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromVolume(panel.study.volumes["T1"]) != 0


def _add_labelmap(panel: OpenPanel, inside: np.ndarray):
    import slicer

    node = panel.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "mask")
    slicer.util.updateVolumeFromArray(node, inside.astype(np.uint8))
    node.CopyOrientation(panel.study.volumes["T1"])
    return node


def _click_prepare(panel: OpenPanel) -> None:
    panel.panel.prepare.ui.prepareButton.click()
    panel.spin(lambda: not panel.panel.prepare.running, timeout=240)


def test_a_click_shows_every_step_and_names_what_mends_a_misaligned_image(open_panel: OpenPanel) -> None:
    section = open_panel.panel.prepare
    _move(open_panel, "FLAIR", 8.0)
    open_panel.choose_volumes()
    section.open()
    before = open_panel.study.volumes["FLAIR"].GetOrigin()
    _click_prepare(open_panel)
    states = {step["name"]: step["state"] for step in section.steps}
    assert states == {
        "align T1c": "done", "align T2": "done", "align FLAIR": "done", "brain mask": "skipped", "expectations": "done",
    }  # fmt: skip
    assert section.ui.stepsTable.rowCount == 5
    assert "FLAIR does not lie on T1" in section.messages.text
    assert "Tick “Align the images" in section.messages.text
    assert open_panel.study.volumes["FLAIR"].GetOrigin() == before
    assert open_panel.segmentations == []
    assert list(open_panel.collaborators.exchange.open().folder.iterdir()) == [], "images are left behind"
    open_panel.save("20-prepare")


def test_a_ticked_registration_is_used_by_the_segmentation_and_taken_from_the_cache_again(
    open_panel: OpenPanel,
) -> None:
    section = open_panel.panel.prepare
    _move(open_panel, "T2", 8.0)
    open_panel.choose_volumes()
    section.ui.registerCheckBox.setChecked(True)
    section.ui.expectationsCheckBox.setChecked(False)
    _click_prepare(open_panel)
    told = {step["name"]: step for step in section.steps}
    assert told["align T2"]["state"] == "done"
    moved = re.match(r"T2 was moved by ([0-9.]+) mm and turned by ([0-9.]+)° onto T1 ", told["align T2"]["sentence"])
    assert float(moved[1]) == pytest.approx(8.0, abs=0.5)
    assert float(moved[2]) < 0.5
    open_panel.click_segment()
    assert not open_panel.segment.failed, open_panel.segment.messages.text
    told = {step["name"]: step for step in section.steps}
    assert told["align T2"]["state"] == "cached"
    assert told["expectations"]["state"] == "skipped"


def test_every_step_can_be_left_out(open_panel: OpenPanel) -> None:
    section = open_panel.panel.prepare
    open_panel.choose_volumes()
    section.ui.alignCheckBox.setChecked(False)
    section.ui.expectationsCheckBox.setChecked(False)
    assert not section.ui.registerCheckBox.isEnabled()
    _click_prepare(open_panel)
    assert {step["state"] for step in section.steps} == {"skipped"}
    assert section.messages.text == ""


def test_a_mask_of_the_scene_removes_what_is_not_brain(open_panel: OpenPanel) -> None:
    section = open_panel.panel.prepare
    half = _brain(open_panel)
    half[: half.shape[0] // 2] = False
    open_panel.choose_volumes()
    section.ui.alignCheckBox.setChecked(False)
    section.ui.brainCheckBox.setChecked(True)
    section.ui.brainMaskSelector.setCurrentNode(_add_labelmap(open_panel, half))
    open_panel.click_segment()
    assert not open_panel.segment.failed, open_panel.segment.messages.text
    (step,) = [step for step in section.steps if step["name"] == "brain mask"]
    assert step["state"] == "done"
    assert "0 outside the brain, by the given mask" in step["sentence"]
    assert list(open_panel.collaborators.exchange.open().folder.iterdir()) == []


def test_without_a_mask_the_panel_says_what_is_missing(open_panel: OpenPanel) -> None:
    section = open_panel.panel.prepare
    open_panel.choose_volumes()
    section.ui.brainCheckBox.setChecked(True)
    section.ui.prepareButton.click()
    assert section.messages.text.startswith("No brain mask is chosen.")
    assert not section.running
    open_panel.segment.ui.segmentButton.click()
    assert open_panel.segment.messages.text.startswith("No brain mask is chosen.")


def test_choices_outlive_the_scene_and_the_mask_does_not(open_panel: OpenPanel) -> None:
    section = open_panel.panel.prepare
    section.ui.registerCheckBox.setChecked(True)
    section.ui.brainCheckBox.setChecked(True)
    section.ui.dilationSpinBox.setValue(2.5)
    section.ui.brainMaskSelector.setCurrentNode(_add_labelmap(open_panel, _brain(open_panel)))
    assert open_panel.collaborators.parameters.brain_mask is not None
    open_panel.scene.Clear(0)
    assert open_panel.collaborators.parameters.brain_mask is None
    chosen = open_panel.collaborators.parameters.preparation
    assert (chosen["register"], chosen["brain"], chosen["dilation_mm"]) == (True, True, 2.5)


def test_an_installed_brain_extraction_is_offered_and_its_mask_is_chosen(
    open_panel: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The extension itself is not here: a stand-in with its documented signature takes its place."""
    import sys

    import slicer

    section = open_panel.panel.prepare
    assert not section.ui.extractButton.isVisible()
    calls = []

    class Logic:
        def setupPythonRequirements(self) -> None:
            calls.append("requirements")

        def process(self, input_volume, output_volume, output_segmentation, device=None) -> None:
            calls.append((input_volume.GetName(), output_volume, output_segmentation.GetClassName(), device))

    monkeypatch.setattr(slicer.modules, "hdbrainextractiontool", object(), raising=False)
    module = types.SimpleNamespace(HDBrainExtractionToolLogic=Logic)
    monkeypatch.setitem(sys.modules, "HDBrainExtractionTool", module)
    open_panel.choose_volumes()
    section.open()
    section.refresh()
    assert section.ui.extractButton.isVisible()
    assert section.ui.extractButton.text == "Find the brain with HD Brain Extraction Tool"
    section.ui.extractButton.click()
    name = open_panel.study.volumes["T1"].GetName()
    assert calls == ["requirements", (name, None, "vtkMRMLSegmentationNode", "auto")]
    assert section.messages.text == ""
    assert open_panel.collaborators.parameters.brain_mask.GetName() == f"{name} brain"
    assert section.ui.brainCheckBox.checked


def test_a_brain_extraction_that_fails_leaves_nothing_behind(
    open_panel: OpenPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    import slicer

    class Logic:
        def setupPythonRequirements(self) -> None:
            raise ValueError("PyTorch extension needs to be installed")

    monkeypatch.setattr(slicer.modules, "hdbrainextractiontool", object(), raising=False)
    monkeypatch.setitem(sys.modules, "HDBrainExtractionTool", types.SimpleNamespace(HDBrainExtractionToolLogic=Logic))
    section = open_panel.panel.prepare
    open_panel.choose_volumes()
    section.refresh()
    section.extract()
    assert section.messages.text.splitlines()[:2] == [
        "HD Brain Extraction Tool did not find the brain.",
        "PyTorch extension needs to be installed",
    ]
    assert open_panel.segmentations == []
