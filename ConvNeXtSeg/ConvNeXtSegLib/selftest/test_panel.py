"""The panel builds, and a click on *Segment tumour* gives a segmentation."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable

import qt

import slicer

from ..charts import TrainingCharts
from ..panel.collaborators import real_collaborators
from ..panel.panel import Panel
from .synthetic_scene import add_synthetic_study

# A cold start imports torch and loads weights; a slow disk takes a minute.
_PATIENCE_S = 300.0


class PanelSelfTest(unittest.TestCase):
    """The panel as a person uses it."""

    def setUp(self) -> None:
        """Build a panel in an empty scene."""
        slicer.mrmlScene.Clear()
        self.widget = slicer.qMRMLWidget()
        self.widget.setLayout(qt.QVBoxLayout())
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.collaborators = real_collaborators(slicer.mrmlScene)
        charts = TrainingCharts(slicer.mrmlScene, lambda _chart: None)
        self.panel = Panel(self.widget.layout(), self.collaborators, charts)

    def tearDown(self) -> None:
        """End the workers."""
        self.panel.close()
        slicer.mrmlScene.Clear()

    def test_there_is_a_selector_for_each_channel_of_the_model(self) -> None:
        """The panel asks for what the chosen model needs."""
        model = self.collaborators.store().open(self.panel.segment.model_spec)
        self.assertEqual(tuple(self.panel.segment.channels.selectors), model.metadata.channels)
        self.assertIn(model.metadata.intended_use, self.panel.segment.ui.intendedUseLabel.text)

    def test_without_a_volume_the_panel_says_so(self) -> None:
        """A click without input gives a plain message and leaves the button usable."""
        if not self.collaborators.installer.complete:
            self.skipTest("the requirements are not installed")
        self.panel.segment.ui.segmentButton.click()
        self.assertIn("No volume is chosen", self.panel.segment.messages.text)
        self.assertTrue(self.panel.segment.ui.segmentButton.isEnabled())

    def test_a_click_segments_a_synthetic_brain(self) -> None:
        """The whole way: volumes, worker, network, segmentation node with the model's labels."""
        if not self.collaborators.installer.complete:
            self.skipTest(f"the requirements are not installed: {', '.join(self.collaborators.installer.missing())}")
        study = add_synthetic_study(slicer.mrmlScene)
        for name, selector in self.panel.segment.channels.selectors.items():
            selector.setCurrentNode(study.volumes[name])
        self.panel.segment.ui.segmentButton.click()
        self._wait(lambda: not self.panel.segment.running)
        self.assertFalse(self.panel.segment.failed, self.panel.segment.messages.text)
        node = self.collaborators.parameters.result
        model = self.collaborators.store().open(self.panel.segment.model_spec)
        names = [node.GetSegmentation().GetNthSegment(n).GetName() for n in range(len(model.contract.labels))]
        self.assertEqual(names, [label.name for label in model.contract.labels])

    def _wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not until():
            self.assertLess(time.monotonic(), deadline, "the worker did not answer")
            slicer.app.processEvents()
            time.sleep(0.01)
