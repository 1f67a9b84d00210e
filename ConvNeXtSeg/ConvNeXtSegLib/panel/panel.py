"""The whole panel: the sections, and what one has to tell another."""

from __future__ import annotations

import qt

import slicer

from ..charts import TrainingCharts
from .cases import CasesSection
from .collaborators import Collaborators
from .doubts import Doubts
from .finetune import FinetuneSection
from .models import ModelsSection
from .prepare import PrepareSection
from .review import ReviewSection
from .segment import SegmentSection
from .system import SystemSection


class Panel:
    """ConvNeXtSeg's panel.

    Args:
        layout: Where it goes.
        collaborators: What it works with; the panel closes them when it closes.
        charts: Live curves of a training.
    """

    def __init__(self, layout: qt.QVBoxLayout, collaborators: Collaborators, charts: TrainingCharts):
        self._with, self._charts = collaborators, charts
        self._complete = False
        self.segment = SegmentSection(layout, collaborators, self._on_result, self._on_choice)
        self.prepare = PrepareSection(layout, collaborators, self.segment.channels, self._chosen_model)
        self.segment.use(self.prepare)
        self.review = ReviewSection(layout, collaborators.scene)
        self.cases = CasesSection(
            layout, collaborators, self.segment.channels, self._chosen_model, self._on_cases_changed
        )
        self.finetune = FinetuneSection(layout, collaborators, charts, self._chosen_model, self._on_versions_changed)
        self.models = ModelsSection(layout, collaborators, self._chosen_model, self._on_versions_changed)
        self.system = SystemSection(layout, collaborators, self._on_system_changed)
        layout.addStretch(1)
        self._complete = True
        if not self.system.complete:
            self.system.open()

    def enter(self) -> None:
        """The module is shown."""
        self.segment.refresh()
        self.prepare.refresh()
        self.cases.refresh()
        self.finetune.refresh()
        self.review.enter()

    def leave(self) -> None:
        """Another module is shown; runs go on."""
        self.review.leave()

    def before_scene_closes(self) -> None:
        """Let go of the scene's nodes and end the run; a training goes on, it belongs to no scene."""
        self.segment.abandon()
        self.prepare.abandon()
        self.review.forget()

    def after_scene_closed(self) -> None:
        """Show the new, empty scene."""
        self.review.restore()
        self.show_scene()

    def show_scene(self) -> None:
        """Show what the parameters of the present scene say, as after loading one."""
        self.segment.refresh()
        self.prepare.refresh()
        self.cases.refresh()
        self.finetune.refresh()
        result = self._with.parameters.result
        if result is not None:
            self.cases.choose(result)

    def close(self) -> None:
        """End everything; a training writes a checkpoint and can be resumed."""
        self.segment.abandon()
        self.prepare.abandon()
        self.segment.channels.release()
        self.review.release()
        self._charts.release()
        self._with.close()

    def _chosen_model(self) -> str:
        return self.segment.model_spec

    def _on_result(self, segmentation: slicer.vtkMRMLSegmentationNode, doubts: Doubts) -> None:
        self.review.show(segmentation, doubts)
        self.cases.choose(segmentation)

    def _on_choice(self) -> None:
        if self._complete:
            self.models.refresh()
            self.finetune.refresh()

    def _on_cases_changed(self) -> None:
        if self._complete:
            self.finetune.refresh()

    def _on_versions_changed(self) -> None:
        self.segment.follow_current()
        self.models.refresh()
        self.finetune.refresh()

    def _on_system_changed(self) -> None:
        # A worker that runs already cannot know of new packages or of another Python: the next click starts a new one.
        if not self._with.segment_worker.busy:
            self._with.segment_worker.close()
        if not self._with.train_worker.busy:
            self._with.train_worker.close()
