"""The loop through the panel: export corrected labels, fine-tune, decide about the version, roll back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.training.run_folder import runs_folder
from convnextseg_engine.worker.identity import identify, is_running
from panel.panel_fixtures import OpenPanel

# Seconds on a computer that does nothing else; this long only where ten other programs compete for two cores.
PATIENCE_S = 240


@pytest.fixture
def case_set(tmp_path, tiny_model) -> CaseSet:
    """Two training cases, one for validation, one for testing, all of other brains than the one in the scene."""
    from convnextseg_engine.synthetic.brain import synthetic_case

    cases = CaseSet.create(tmp_path / "cases", tiny_model.contract)
    for seed, split in enumerate(("train", "validation", "test")):
        made = synthetic_case(100 + seed, size=(40, 44, 40), spacing=(3.5, 3.5, 3.5))
        cases.add(f"case-{seed}", made.study, made.mask, split)
    return cases


@pytest.fixture
def trainer(open_panel: OpenPanel, case_set: CaseSet) -> OpenPanel:
    """A panel with the case set chosen and few steps set."""
    open_panel.panel.cases.ui.caseSetFolder.currentPath = str(case_set.folder)
    open_panel.panel.finetune.ui.stepsSpinBox.setValue(3)
    open_panel.panel.finetune.open()
    return open_panel


def _truth_as_segmentation(panel: OpenPanel):
    from convnextseg_engine.synthetic.brain import brain_tumour_contract
    from ConvNeXtSegLib.scene.segmentation import place_result
    from ConvNeXtSegLib.scene.volumes import read_volume

    handle = read_volume(panel.study.volumes["T1"]).handle
    model = {"name": "a-tiny-model", "version": "v1", "intended_use": "for tests"}
    return place_result(panel.scene, panel.study.case.mask, brain_tumour_contract(), handle, model)


def test_export_writes_the_corrected_mask_into_a_new_case_set(open_panel: OpenPanel, tmp_path) -> None:
    import slicer

    open_panel.choose_volumes()
    node = _truth_as_segmentation(open_panel)
    volume = open_panel.study.volumes["T1"]
    corrected = open_panel.study.case.mask.copy()
    corrected[corrected == 4] = 1
    for name, value in (("enhancing", 4), ("core", 1)):
        slicer.util.updateSegmentBinaryLabelmapFromArray((corrected == value).astype(np.uint8), node, name, volume)
    cases = open_panel.panel.cases
    cases.open()
    cases.choose(node)
    cases.ui.caseSetFolder.currentPath = str(tmp_path / "new set")
    cases.ui.caseIdEdit.setText("case-001")
    cases.ui.exportButton.click()

    assert cases.messages.text == ""
    assert "case-001 was exported for training" in cases.ui.exportedLabel.text
    (case,) = CaseSet.open(tmp_path / "new set").cases()
    assert (case.id, case.split, case.channels) == ("case-001", "train", ("T1", "T1c", "T2", "FLAIR"))
    np.testing.assert_array_equal(case.mask(), corrected)
    assert case.origin["corrected"] is True
    assert cases.ui.casesTable.rowCount == 1
    open_panel.save("8-exported")

    cases.ui.caseIdEdit.setText("case-001")
    cases.ui.exportButton.click()
    assert "There is a case case-001 already" in cases.messages.text
    cases.ui.checkCasesButton.click()
    assert cases.messages.text == ""


@pytest.mark.parametrize(
    ("folder", "case_id", "volumes", "expected"),
    [
        (False, "case-001", True, "No case set is chosen."),
        (True, "", True, "The case has no name."),
        (True, "case-001", False, "No volume is chosen."),
        (True, "Jane Doe", True, "“Jane Doe” cannot name a case."),
    ],
)
def test_export_refuses_in_plain_words(
    open_panel: OpenPanel, tmp_path, folder: bool, case_id: str, volumes: bool, expected: str
) -> None:
    if not volumes:  # the panel has recognised and chosen them
        for selector in open_panel.segment.channels.selectors.values():
            selector.setCurrentNode(None)
    cases = open_panel.panel.cases
    cases.choose(_truth_as_segmentation(open_panel))
    if folder:
        cases.ui.caseSetFolder.currentPath = str(tmp_path / "new set")
    cases.ui.caseIdEdit.setText(case_id)
    cases.ui.exportButton.click()
    assert cases.messages.text.splitlines()[0] == expected
    assert not list(tmp_path.glob("new set/cases/*"))


def test_finetune_judges_a_candidate_that_a_click_promotes_and_another_rolls_back(trainer: OpenPanel) -> None:
    finetune, models = trainer.panel.finetune, trainer.panel.models
    assert "1 training, 1 validation and 1 test cases" in finetune.ui.basisLabel.text
    trainer.choose_volumes()
    trainer.click_segment()
    shown = trainer.segmentations[0]

    finetune.ui.startButton.click()
    assert finetune.running
    assert not finetune.ui.startButton.isEnabled()
    trainer.segment.ui.segmentButton.click()
    trainer.spin(lambda: not trainer.segment.running, timeout=PATIENCE_S)
    assert finetune.running, "segmenting has to be possible while a training runs"
    assert not trainer.segment.failed, trainer.segment.messages.text
    assert trainer.segmentations == [shown]
    trainer.spin(lambda: "loss" in finetune.ui.trainingLabel.text, timeout=PATIENCE_S)
    trainer.save("9-training")
    trainer.spin(lambda: not finetune.running, timeout=PATIENCE_S)

    assert finetune.messages.text == ""
    table = trainer.scene.GetFirstNodeByName("Fine-tuning loss table")
    assert table.GetTable().GetNumberOfRows() == 3
    assert finetune.verdict.text.startswith("Result: Too few cases to judge.")
    rows = finetune.ui.verdictTable
    assert {rows.item(r, 0).text() for r in range(rows.rowCount)} == {"case-2"}
    store = ModelStore()
    assert store.current("a-tiny-model") == "v1"
    assert finetune.ui.promoteButton.isEnabled()
    trainer.save("10-verdict")

    finetune.ui.noteEdit.setText("looked at the case")
    finetune.ui.promoteButton.click()
    assert store.current("a-tiny-model") == "v2"
    event = store.history("a-tiny-model")[-1]
    assert (event.action, event.version, event.note) == ("promote", "v2", "looked at the case")
    assert trainer.segment.model_spec == "a-tiny-model@v2"
    models.open()
    trainer.save("11-promoted")

    models.ui.rollbackButton.click()
    assert store.current("a-tiny-model") == "v1"
    assert trainer.segment.model_spec == "a-tiny-model@v1"
    models.ui.rollbackButton.click()
    assert "no earlier version" in models.messages.text


def test_an_interrupted_training_is_resumed_and_stopped_keeping_what_it_has(trainer: OpenPanel, make_widget) -> None:
    import ConvNeXtSeg

    finetune = trainer.panel.finetune
    finetune.ui.stepsSpinBox.setValue(4000)
    finetune.ui.startButton.click()
    trainer.spin(lambda: "step 2" in finetune.ui.trainingLabel.text, timeout=PATIENCE_S)
    finetune.ui.cancelTrainingButton.click()
    assert finetune.ui.trainingLabel.text == "Cancelling…"
    trainer.spin(lambda: not finetune.running, timeout=5)
    assert "can be resumed" in finetune.ui.trainingStatusLabel.text
    assert [info.version for info in ModelStore().versions("a-tiny-model")] == ["v1"]
    assert finetune.ui.resumeButton.isVisible()

    finetune.ui.resumeButton.click()
    trainer.spin(lambda: "loss" in finetune.ui.trainingLabel.text, timeout=PATIENCE_S)
    process = identify(trainer.collaborators.train_worker.pid)
    make_widget.unload(trainer.widget)  # Slicer closes
    trainer.spin(lambda: not is_running(process), timeout=70)
    (checkpoint,) = runs_folder().glob("*/checkpoint.pt")
    assert checkpoint.stat().st_size > 0

    trainer.scene.Clear(False)
    again = make_widget(ConvNeXtSeg.ConvNeXtSegWidget).panel.finetune
    assert again.ui.resumeButton.isVisibleTo(again.widget), "the next start offers to go on"
    again.ui.resumeButton.click()
    trainer.spin(lambda: "loss" in again.ui.trainingLabel.text, timeout=PATIENCE_S)
    again.ui.stopButton.click()
    trainer.spin(lambda: not again.running, timeout=PATIENCE_S)
    assert again.messages.text == ""
    assert [info.status for info in ModelStore().versions("a-tiny-model")] == ["current", "candidate"]
    assert not again.ui.resumeButton.isVisibleTo(again.widget)


def test_finetune_without_a_case_set_says_what_to_do(open_panel: OpenPanel) -> None:
    open_panel.panel.finetune.ui.startButton.click()
    assert open_panel.panel.finetune.messages.text.splitlines()[0] == "No case set is chosen."
    assert not open_panel.panel.finetune.running


def test_overruling_a_verdict_needs_a_reason(open_panel: OpenPanel, tiny_model, tmp_path) -> None:
    from convnextseg_engine.models.weights import load_weights

    verdict = {
        "outcome": "hard stop",
        "action": "look at the cases and decide",
        "text": "Result: Stopped. In one case the candidate is much worse.\nWhy: case-1.\n\ntable",
        "table": [
            {"case": "case-1", "target": "core", "current": 0.9, "candidate": 0.6, "difference": -0.3, "first": 0.9}
        ],
    }
    metadata = replace(tiny_model.metadata, lineage={"base": tiny_model.spec})
    weights = load_weights(tiny_model.weights_path)
    ModelFolder.write(tmp_path / "staged", metadata, tiny_model.contract, weights, "# A candidate\n")
    store = ModelStore()
    version = store.add_candidate("a-tiny-model", tmp_path / "staged", verdict)
    finetune = open_panel.panel.finetune
    finetune.open()
    finetune.verdict.show("a-tiny-model", version, verdict)
    assert not finetune.ui.promoteButton.isEnabled()
    finetune.ui.noteEdit.setText("the reference of case-1 is wrong")
    assert finetune.ui.promoteButton.isEnabled()
    open_panel.save("12-overruling")
    finetune.ui.promoteButton.click()
    event = store.history("a-tiny-model")[-1]
    assert (event.version, event.overruled, event.note) == (version, True, "the reference of case-1 is wrong")
