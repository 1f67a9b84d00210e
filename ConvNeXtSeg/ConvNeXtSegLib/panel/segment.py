"""*Segment*: model, channels, one big button, progress, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, InputError, RunCancelled, describe
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.worker.messages import Progress

from ..process.preparation_run import PreparationWishes
from ..process.segmentation_run import Listener, SegmentationInputs, SegmentationOutcome, SegmentationRun
from ..scene.segmentation import source_volume
from .channels import ChannelSelectors
from .collaborators import Collaborators
from .doubts import Doubts
from .result import ResultView
from .section import Section, chosen_value, fill_choices
from .wording import joined, progress_text, seconds_text

# In segment.ui the channels stand below the model and what it may be used for.
_FIRST_CHANNEL_ROW = 2


class Preparation(Protocol):
    """What comes before a segmentation."""

    def wishes(self) -> PreparationWishes:
        """Return what is to be done."""

    def show(self, value: dict[str, Any]) -> None:
        """Show what the worker says was done."""


class SegmentSection(Section):
    """The first section of the panel.

    Args:
        layout: Layout of the panel.
        collaborators: What it works with.
        on_result: Called with the segmentation node of a finished run, and what it is unsure of.
        on_changed: Called after the user has chosen another model or other volumes.
    """

    def __init__(
        self,
        layout: qt.QVBoxLayout,
        collaborators: Collaborators,
        on_result: Callable[[slicer.vtkMRMLSegmentationNode, Doubts], None],
        on_changed: Callable[[], None],
    ):
        super().__init__("segment", layout)
        self._with = collaborators
        self._on_result, self._on_changed = on_result, on_changed
        self._run: SegmentationRun | None = None
        self._model_folders: dict[str, Path] = {}
        self._run_model: ModelFolder | None = None
        self._starting_s: float | None = None
        self._failed = False
        self._preparation: Preparation | None = None
        ui = self.ui
        self.channels = ChannelSelectors(
            ui.segmentInputs.layout(),
            _FIRST_CHANNEL_ROW,
            ui.referenceSelector,
            collaborators.parameters,
            collaborators.scene,
            ui.recognitionLabel,
            self._after_choice,
        )
        ui.modelSelector.connect("currentIndexChanged(int)", self._on_model)
        ui.deviceSelector.connect("currentIndexChanged(int)", self._on_device)
        ui.segmentButton.connect("clicked()", self.start)
        ui.cancelButton.connect("clicked()", self.cancel)
        self.result = ResultView(ui)
        self._show_idle("")
        self.refresh()

    def use(self, preparation: Preparation) -> None:
        """Prepare each study as this says, and show there what was done."""
        self._preparation = preparation

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return self._run is not None

    @property
    def failed(self) -> bool:
        """Whether the last run ended without a result."""
        return self._failed

    @property
    def model_spec(self) -> str:
        """The chosen model as ``"name@v2"``, empty if there is none."""
        return chosen_value(self.ui.modelSelector)

    def refresh(self) -> None:
        """Show what the store and the parameters hold now."""
        parameters = self._with.parameters
        fill_choices(self.ui.deviceSelector, _devices(), parameters.device)
        choices = self._model_choices()
        wanted = parameters.model
        if "@" not in wanted:  # a name alone means its current version
            wanted = next((spec for _text, spec in choices if spec.partition("@")[0] == wanted), wanted)
        fill_choices(self.ui.modelSelector, choices, wanted)
        self._show_model()

    def follow_current(self) -> None:
        """Choose the version that is now the current one of the chosen model."""
        name = self.model_spec.partition("@")[0]
        if name:
            self._with.parameters.model = f"{name}@{self._with.store().current(name)}"
        self.refresh()

    def start(self) -> None:
        """Segment the chosen volumes, as the big button does."""
        if self._run is not None:
            return
        self.messages.clear()
        previous = self._with.parameters.result
        try:
            self._with.installer.require()
            self._run_model = self._chosen_model()
            run = SegmentationRun(
                self._with.segment_worker,
                self._with.exchange.open(),
                self._with.scene,
                SegmentationInputs(
                    self.channels.volumes(),
                    self.channels.reference,
                    self._run_model,
                    chosen_value(self.ui.deviceSelector),
                    previous.GetID() if previous else None,
                    self._preparation.wishes() if self._preparation is not None else None,
                ),
                Listener(self._on_progress, self._on_done, self._on_error),
            )
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self._run, self._failed = run, False
        self._show_running()
        run.start()

    def cancel(self) -> None:
        """End the run; the panel answers at once, the worker within a second."""
        if self._run is None:
            return
        self.ui.cancelButton.setEnabled(False)
        self.ui.cancelButton.setText(_("Cancelling…"))
        self.ui.progressLabel.setText(_("Cancelling…"))
        self._run.cancel()

    def abandon(self) -> None:
        """Forget the run and what is shown of it, because the scene closes."""
        run, self._run = self._run, None
        if run is not None:
            run.abandon()
        self.result.clear()
        self.messages.clear()
        self._show_idle(_("The scene was closed, so the run was cancelled.") if run is not None else "")

    def _chosen_model(self) -> ModelFolder:
        if not self.model_spec:
            raise InputError(
                _("There is no model."),
                reason=_("None came with this installation, and none was added."),
                remedy=_("Install ConvNeXtSeg again, or add a model."),
                code="no-model",
            )
        return self._with.store().open(self.model_spec)

    def _model_choices(self) -> list[tuple[str, str]]:
        """Every usable version, the one in use of each model first."""
        store = self._with.store()
        choices, self._model_folders = [], {}
        for name in store.names():
            versions = [info for info in store.versions(name) if info.status != "damaged"]
            for info in sorted(versions, key=lambda info: info.status != "current"):
                mark = {"current": _(" (in use)"), "candidate": _(" (candidate)")}.get(info.status, "")
                spec = f"{info.name}@{info.version}"
                choices.append((f"{info.version}{mark} · {info.title}", spec))
                self._model_folders[spec] = info.path
        return choices

    def _on_model(self, _index: int) -> None:
        self._with.parameters.model = self.model_spec
        self._show_model()
        self._on_changed()

    def _show_model(self) -> None:
        ui = self.ui
        if not self.model_spec:
            ui.intendedUseLabel.setText(_("There is no model on this computer."))
            return
        # Its checksums are compared when it is used; to show it, its description is enough.
        metadata = ModelFolder.open(self._model_folders[self.model_spec], verify=False).metadata
        ui.intendedUseLabel.setText(metadata.intended_use)
        ui.modelSelector.setToolTip(f"{metadata.title}\n{metadata.intended_use}")
        self.channels.build(metadata.channels)

    def _on_device(self, _index: int) -> None:
        self._with.parameters.device = chosen_value(self.ui.deviceSelector)

    def _after_choice(self) -> None:
        self._on_changed()

    def _on_progress(self, progress: Progress) -> None:
        ui = self.ui
        if self._run is None or not ui.cancelButton.isEnabled():
            return
        ui.progressBar.setRange(0, 100 if progress.fraction > 0 else 0)
        ui.progressBar.setValue(int(progress.fraction * 100))
        ui.progressLabel.setText(progress_text(progress))

    def _on_done(self, outcome: SegmentationOutcome) -> None:
        earlier = self._with.parameters.result
        node = self._with.scene.GetNodeByID(outcome.node_id)
        self._run = None
        self._starting_s = outcome.starting_s or self._starting_s
        if earlier not in (None, node) and source_volume(earlier) is source_volume(node):
            protected = _("“{earlier}” was kept as it is; the new result is “{new}”.")
            self._show_idle(protected.format(earlier=earlier.GetName(), new=node.GetName()))
        else:
            self._show_idle("")
        self._with.parameters.result = node
        self.result.show(outcome, self._run_model.contract)
        if self._preparation is not None:
            self._preparation.show(outcome.value)
        if outcome.value["warnings"]:
            self.messages.show_note(_("Please note"), joined(outcome.value["warnings"]))
        self._on_result(node, Doubts(outcome.value["uncertainty"], outcome.entropy))

    def _on_error(self, error: ConvNeXtSegError, details: str) -> None:
        self._run, self._failed = None, True
        if not isinstance(error, RunCancelled):
            self._show_idle("")
            self.messages.show_error(error, details)
        elif not self._with.segment_worker.killed:
            self._show_idle(_("Cancelled. Nothing in the scene was changed."))
        elif self._starting_s:
            again = _("Cancelled. Nothing in the scene was changed. The next run starts the worker anew: about {time}.")
            self._show_idle(again.format(time=seconds_text(self._starting_s)))
        else:
            self._show_idle(_("Cancelled. Nothing in the scene was changed. The next run starts the worker anew."))

    def _show_running(self) -> None:
        ui = self.ui
        ui.segmentButton.setEnabled(False)
        self.result.clear()
        ui.statusLabel.setVisible(False)
        ui.progressBar.setRange(0, 0)
        ui.progressLabel.setText(_("Starting…"))
        ui.cancelButton.setText(_("Cancel"))
        ui.cancelButton.setEnabled(True)
        ui.progressWidget.setVisible(True)

    def _show_idle(self, status: str) -> None:
        ui = self.ui
        ui.segmentButton.setEnabled(True)
        ui.progressWidget.setVisible(False)
        ui.statusLabel.setText(status)
        ui.statusLabel.setVisible(bool(status))


def _devices() -> list[tuple[str, str]]:
    return [
        (_("Automatic"), "auto"),
        (_("CPU"), "cpu"),
        (_("NVIDIA GPU"), "cuda:0"),
        (_("Apple GPU"), "mps"),
    ]
