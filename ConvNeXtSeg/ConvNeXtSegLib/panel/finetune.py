"""*Fine-tune*: train on the corrected cases, watch, stop, and decide about the new version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from convnextseg_engine.errors import ConvNeXtSegError, InputError, RunCancelled, describe
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.training.recipe import FINETUNE, read_recipe, recipe_names
from convnextseg_engine.training.run_folder import Run, new_run_folder, unfinished_run
from convnextseg_engine.worker.messages import Progress

from ..charts import TrainingCharts
from ..process.call import Call
from .collaborators import Collaborators
from .section import Section, chosen_value, fill_choices
from .verdict import VerdictView
from .wording import progress_text


class FinetuneSection(Section):
    """The section that trains.

    Args:
        layout: Layout of the panel.
        collaborators: What it works with.
        charts: Live curves.
        chosen_model: Returns the model chosen under *Segment*, as ``"name@v2"`` or empty.
        on_versions_changed: Called after a version was added or promoted.
    """

    def __init__(
        self,
        layout: qt.QVBoxLayout,
        collaborators: Collaborators,
        charts: TrainingCharts,
        chosen_model: Callable[[], str],
        on_versions_changed: Callable[[], None],
    ):
        super().__init__("finetune", layout)
        self._with = collaborators
        self._charts = charts
        self._chosen_model, self._on_versions_changed = chosen_model, on_versions_changed
        self._call: Call | None = None
        self._last_metrics = ""
        ui = self.ui
        self.verdict = VerdictView(ui, self._promote)
        fill_choices(
            ui.recipeSelector, [(name, name) for name in recipe_names(FINETUNE)], collaborators.parameters.recipe
        )
        ui.stepsSpinBox.setValue(collaborators.parameters.steps or 0)
        ui.recipeSelector.connect("currentIndexChanged(int)", self._on_recipe)
        ui.stepsSpinBox.connect("valueChanged(int)", self._on_steps)
        ui.startButton.connect("clicked()", self.start)
        ui.resumeButton.connect("clicked()", self.resume)
        ui.stopButton.connect("clicked()", self.stop)
        ui.cancelTrainingButton.connect("clicked()", self.cancel)
        self._on_recipe(0)
        self._show_idle("")
        self.refresh()
        if self._unfinished() is not None:
            self._say(_("A training was interrupted. Resume goes on where its last checkpoint is."))
            self.open()

    @property
    def running(self) -> bool:
        """Whether a training is going on."""
        return self._call is not None

    def refresh(self) -> None:
        """Say from what a training would start, and offer to resume one."""
        self.ui.basisLabel.setText(self._basis())
        if not self.running:
            self.ui.resumeButton.setVisible(self._unfinished() is not None)

    def start(self) -> None:
        """Start a new training."""
        parameters = self._with.parameters
        self._begin(
            lambda model: {
                "recipe": chosen_value(self.ui.recipeSelector),
                "steps": parameters.steps,
                "resume": False,
                "run_folder": str(new_run_folder(model.partition("@")[0])),
            }
        )

    def resume(self) -> None:
        """Go on with the training that was interrupted, as it was begun."""
        folder = self._unfinished()
        if folder is not None:
            recipe = Run.read(folder).recipe
            self._begin(
                lambda _model: {
                    "recipe": recipe["name"], "steps": recipe["steps"], "resume": True, "run_folder": str(folder),
                }
            )  # fmt: skip

    def stop(self) -> None:
        """End the training early and keep what it has learned."""
        if self._call is not None:
            self.ui.stopButton.setEnabled(False)
            self.ui.trainingLabel.setText(_("Stopping after this step; the new version is judged next…"))
            self._with.train_worker.stop(self._call)

    def cancel(self) -> None:
        """End the training without a new version."""
        if self._call is not None:
            self.ui.stopButton.setEnabled(False)
            self.ui.cancelTrainingButton.setEnabled(False)
            self.ui.cancelTrainingButton.setText(_("Cancelling…"))
            self.ui.trainingLabel.setText(_("Cancelling…"))
            self._with.train_worker.cancel(self._call)

    def _begin(self, run: Callable[[str], dict[str, Any]]) -> None:
        """Send a training to the worker; ``run`` says for a model which run it is."""
        if self.running:
            return
        self.messages.clear()
        try:
            self._with.installer.require()
            model = self._chosen_model()
            if not model:
                raise InputError(_("There is no model to start from."), remedy=_("Choose one under Segment."))
            cases = CaseSet.open(self._case_set_folder()).folder
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        args = {
            "model": model,
            "cases": str(cases),
            "device": self._with.parameters.device,
            "guard": None,
            **run(model),
        }
        self._call = Call("finetune", args, self._on_result, self._on_error, self._on_progress, self._on_metrics)
        if not args["resume"]:
            self._charts.reset()
        self.verdict.clear()
        self._last_metrics = ""
        self._show_running()
        self._with.train_worker.call(self._call)

    def _unfinished(self) -> Path | None:
        model, cases = self._chosen_model(), self._with.parameters.case_set
        return unfinished_run(model, Path(cases)) if model and cases else None

    def _on_progress(self, progress: Progress) -> None:
        ui = self.ui
        if not ui.cancelTrainingButton.isEnabled():
            return
        ui.trainingProgressBar.setRange(0, 100)
        ui.trainingProgressBar.setValue(int(progress.fraction * 100))
        if ui.stopButton.isEnabled():
            ui.trainingLabel.setText(" · ".join(part for part in (progress_text(progress), self._last_metrics) if part))

    def _on_metrics(self, values: dict[str, Any]) -> None:
        self._charts.append(values)
        if values.get("loss") is not None and "step" in values:
            self._last_metrics = _("step {step}, loss {loss}").format(step=values["step"], loss=f"{values['loss']:.3f}")

    def _on_result(self, value: dict[str, Any]) -> None:
        model, self._call = self._call.args["model"], None
        version = value["version"]
        self._show_idle(_("{version} is there as a candidate. It is used only if you say so.").format(version=version))
        self.verdict.show(model.partition("@")[0], version, value["verdict"])
        self._on_versions_changed()

    def _on_error(self, error: ConvNeXtSegError, details: str) -> None:
        self._call = None
        if isinstance(error, RunCancelled):
            self._show_idle(_("Cancelled. No version was added; the training can be resumed."))
        else:
            self._show_idle("")
            self.messages.show_error(error, details)
        self.refresh()

    def _promote(self, name: str, version: str, overruled: bool, note: str) -> None:
        self.messages.clear()
        try:
            self._with.store().promote(name, version, overruled=overruled, note=note)
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self.verdict.clear()
        self._say(
            _("{version} is in use now. Rolling back is one click under Models and versions.").format(version=version)
        )
        self._on_versions_changed()

    def _case_set_folder(self) -> Path:
        folder = self._with.parameters.case_set
        if not folder:
            raise InputError(
                _("No case set is chosen."), remedy=_("Export a corrected case first, under Cases for retraining."),
                code="no-case-set",
            )  # fmt: skip
        return Path(folder)

    def _basis(self) -> str:
        try:
            cases = CaseSet.open(self._case_set_folder()).cases()
        except ConvNeXtSegError as error:
            return " ".join(part for part in (error.message, error.remedy) if part)
        counts = {split: sum(case.split == split for case in cases) for split in ("train", "validation", "test")}
        text = _("Starts from {model}, with {train} training, {validation} validation and {test} test cases.")
        return text.format(model=self._chosen_model() or _("no model"), **counts)

    def _on_recipe(self, _index: int) -> None:
        name = chosen_value(self.ui.recipeSelector)
        self._with.parameters.recipe = name
        recipe = read_recipe(name)
        self.ui.recipeSelector.setToolTip(recipe.description)
        self.ui.stepsSpinBox.setSpecialValueText(_("{n} (recipe)").format(n=recipe.steps))

    def _on_steps(self, steps: int) -> None:
        self._with.parameters.steps = steps or None

    def _show_running(self) -> None:
        ui = self.ui
        ui.startButton.setEnabled(False)
        ui.resumeButton.setVisible(False)
        ui.trainingProgressBar.setRange(0, 0)
        ui.trainingLabel.setText(_("Starting… Segmenting stays possible meanwhile."))
        ui.stopButton.setEnabled(True)
        ui.cancelTrainingButton.setText(_("Cancel"))
        ui.cancelTrainingButton.setEnabled(True)
        ui.trainingWidget.setVisible(True)
        self._say("")

    def _show_idle(self, status: str) -> None:
        self.ui.startButton.setEnabled(True)
        self.ui.trainingWidget.setVisible(False)
        self._say(status)

    def _say(self, text: str) -> None:
        self.ui.trainingStatusLabel.setText(text)
        self.ui.trainingStatusLabel.setVisible(bool(text))
