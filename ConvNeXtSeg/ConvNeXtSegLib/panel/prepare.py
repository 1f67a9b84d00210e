"""*Prepare*: are the images aligned, is the skull gone, does the study fit the model; each step can be left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, InputError, RunCancelled, describe
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.worker.messages import Progress

from ..process.preparation_run import PreparationRun, PreparationWishes
from ..scene.brain_extraction import extract_brain, installed_extractor
from ..scene.brain_mask import read_brain_mask
from .channels import ChannelSelectors
from .collaborators import Collaborators
from .section import Section, chosen_value, fill_choices
from .table import fill_table, prepare_table
from .wording import joined, progress_text, seconds_text

_SCENE = "scene"
_BRAIN = "brain"


class PrepareSection(Section):
    """The section of what happens before the network sees the images.

    Args:
        layout: Layout of the panel.
        collaborators: What it works with.
        channels: The volumes chosen under *Segment*.
        chosen_model: Returns the model chosen there, as ``"name@v2"`` or empty.
    """

    def __init__(
        self,
        layout: qt.QVBoxLayout,
        collaborators: Collaborators,
        channels: ChannelSelectors,
        chosen_model: Callable[[], str],
    ):
        super().__init__("prepare", layout)
        self._with = collaborators
        self._channels, self._chosen_model = channels, chosen_model
        self._run: PreparationRun | None = None
        ui = self.ui
        prepare_table(ui.stepsTable, [_("Step"), _("State"), _("Time"), _("Outcome")])
        ui.alignCheckBox.connect("toggled(bool)", self._on_choice)
        ui.registerCheckBox.connect("toggled(bool)", self._on_choice)
        ui.brainCheckBox.connect("toggled(bool)", self._on_choice)
        ui.expectationsCheckBox.connect("toggled(bool)", self._on_choice)
        ui.brainSource.connect("currentIndexChanged(int)", self._on_source)
        ui.dilationSpinBox.connect("valueChanged(double)", self._on_dilation)
        ui.brainMaskSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_mask)
        ui.extractButton.connect("clicked()", self.extract)
        ui.prepareButton.connect("clicked()", self.start)
        ui.cancelPrepareButton.connect("clicked()", self.cancel)
        self._show_idle("")
        self._show_steps([])
        self.refresh()

    @property
    def running(self) -> bool:
        """Whether a run is going on."""
        return self._run is not None

    @property
    def steps(self) -> list[dict[str, Any]]:
        """What was done in the last run, one dictionary a step."""
        return self._steps

    def refresh(self) -> None:
        """Show what the parameters, the store and Slicer's modules say now."""
        ui, chosen = self.ui, self._with.parameters.preparation
        for box, name in self._boxes():
            blocked = box.blockSignals(True)
            box.checked = chosen[name]
            box.blockSignals(blocked)
        choices = [(_("Mask in the scene"), _SCENE)] + [(f.metadata.title, f.spec) for f in self._brain_models()]
        fill_choices(ui.brainSource, choices, chosen["brain_source"])
        blocked = ui.dilationSpinBox.blockSignals(True)
        ui.dilationSpinBox.value = chosen["dilation_mm"]
        ui.dilationSpinBox.blockSignals(blocked)
        blocked = ui.brainMaskSelector.blockSignals(True)
        ui.brainMaskSelector.setCurrentNode(self._with.parameters.brain_mask)
        ui.brainMaskSelector.blockSignals(blocked)
        extractor = installed_extractor()
        ui.extractButton.setVisible(extractor is not None)
        if extractor is not None:
            ui.extractButton.setText(_("Find the brain with {module}").format(module=extractor.title))
        self._enable()

    def wishes(self) -> PreparationWishes:
        """Return what the user wants done before a segmentation.

        Raises:
            InputError: If the brain is to be taken from the scene and no usable mask is chosen.
        """
        chosen = self._with.parameters.preparation
        options: dict[str, Any] = {
            "register": ("rigid" if chosen["register"] else "check") if chosen["align"] else "off",
            "expectations": chosen["expectations"],
            "dilation_mm": chosen["dilation_mm"],
        }
        if not chosen["brain"]:
            return PreparationWishes(options)
        source = chosen_value(self.ui.brainSource)
        if source != _SCENE:
            return PreparationWishes(options | {"brain_mask_model": source})
        return PreparationWishes(options, read_brain_mask(self._with.parameters.brain_mask))

    def show(self, value: dict[str, Any]) -> None:
        """Show what a run says about the preparation."""
        self._show_steps(value["preparation"]["steps"])

    def start(self) -> None:
        """Prepare the chosen volumes and say what was done and found; nothing in the scene changes."""
        if self._run is not None:
            return
        self.messages.clear()
        try:
            self._with.installer.require()
            run = PreparationRun(
                self._with.segment_worker,
                self._with.exchange.open(),
                self._channels.volumes(),
                self._channels.reference,
                self._chosen_model(),
                self.wishes(),
                self._on_done,
                self._on_error,
                self._on_progress,
            )
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self._run = run
        self._show_steps([])
        self.ui.prepareButton.setEnabled(False)
        self.ui.cancelPrepareButton.setVisible(True)
        self._say(_("Starting…"))
        run.start()

    def cancel(self) -> None:
        """End the run."""
        if self._run is not None:
            self._say(_("Cancelling…"))
            self._run.cancel()

    def abandon(self) -> None:
        """Forget the run and what is shown of it, because the scene closes."""
        run, self._run = self._run, None
        if run is not None:
            run.abandon()
        self.messages.clear()
        self._show_steps([])
        self._show_idle("")

    def extract(self) -> None:
        """Let an installed extension find the brain in the reference volume, and choose its mask."""
        self.messages.clear()
        try:
            volume = self._channels.volumes().get(self._channels.reference)
            if volume is None:
                raise InputError(
                    _("No volume is chosen."), remedy=_("Choose the images under Segment first."), code="no-volume"
                )
            mask = extract_brain(installed_extractor(), volume, self._with.scene)
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self._with.parameters.brain_mask = mask
        self._with.parameters.preparation = self._with.parameters.preparation | {
            "brain": True,
            "brain_source": _SCENE,
        }
        self.refresh()

    def _brain_models(self) -> list[ModelFolder]:
        """The current version of every usable model that has a label “brain”."""
        store, found = self._with.store(), []
        for name in store.names():
            current = next((info for info in store.versions(name) if info.status == "current"), None)
            if current is not None:
                model = ModelFolder.open(current.path, verify=False)  # the worker checks it before it is used
                if any(label.name.strip().lower() == _BRAIN for label in model.contract.labels):
                    found.append(model)
        return found

    def _boxes(self) -> list[tuple[qt.QCheckBox, str]]:
        ui = self.ui
        return [
            (ui.alignCheckBox, "align"),
            (ui.registerCheckBox, "register"),
            (ui.brainCheckBox, "brain"),
            (ui.expectationsCheckBox, "expectations"),
        ]

    def _on_choice(self, _checked: bool) -> None:
        chosen = {name: bool(box.checked) for box, name in self._boxes()}
        self._with.parameters.preparation = self._with.parameters.preparation | chosen
        self._enable()

    def _on_source(self, _index: int) -> None:
        source = {"brain_source": chosen_value(self.ui.brainSource)}
        self._with.parameters.preparation = self._with.parameters.preparation | source
        self._enable()

    def _on_dilation(self, millimetres: float) -> None:
        self._with.parameters.preparation = self._with.parameters.preparation | {"dilation_mm": float(millimetres)}

    def _on_mask(self, node: slicer.vtkMRMLNode | None) -> None:
        if not slicer.mrmlScene.IsClosing():
            self._with.parameters.brain_mask = node

    def _enable(self) -> None:
        ui, chosen = self.ui, self._with.parameters.preparation
        ui.registerCheckBox.setEnabled(chosen["align"])
        ui.brainSource.setEnabled(chosen["brain"])
        ui.brainMaskSelector.setEnabled(chosen["brain"] and chosen_value(ui.brainSource) == _SCENE)
        ui.dilationSpinBox.setEnabled(chosen["brain"])

    def _on_progress(self, progress: Progress) -> None:
        if self._run is not None:
            self._say(progress_text(progress))

    def _on_done(self, value: dict[str, Any]) -> None:
        self._run = None
        self._show_idle("")
        self.show(value)
        findings = value["expectations"]
        if findings:
            self.messages.show_note(
                _("Please note"),
                joined(finding["sentence"] for finding in findings),
                joined(dict.fromkeys(_remedy(finding) for finding in findings)),
            )

    def _on_error(self, error: ConvNeXtSegError, details: str) -> None:
        self._run = None
        if isinstance(error, RunCancelled):
            self._show_idle(_("Cancelled."))
        else:
            self._show_idle("")
            self.messages.show_error(error, details)

    def _show_idle(self, status: str) -> None:
        self.ui.prepareButton.setEnabled(True)
        self.ui.cancelPrepareButton.setVisible(False)
        self._say(status)

    def _say(self, status: str) -> None:
        self.ui.prepareLabel.setText(status)
        self.ui.prepareLabel.setVisible(bool(status))

    def _show_steps(self, steps: list[dict[str, Any]]) -> None:
        self._steps = steps
        rows = [
            (step["name"], _state(step["state"]), seconds_text(step["seconds"]), step["sentence"]) for step in steps
        ]
        fill_table(self.ui.stepsTable, rows, [step["sentence"] for step in steps])
        self.ui.stepsTable.setVisible(bool(steps))


def _state(state: str) -> str:
    names = {
        "done": _("done"),
        "cached": _("done before"),
        "skipped": _("left out"),
        "not needed": _("not needed"),
    }
    return names.get(state, state)


def _remedy(finding: dict[str, Any]) -> str:
    """What to do here; the engine's sentence names the command line's option, which the panel does not have."""
    if finding["option"].startswith("--register"):
        return _("Tick “Align the images that do not lie on one another” above.")
    if finding["option"] == "--brain-mask":
        return _("Tick “Remove what is not brain” above and choose a mask or a model.")
    return finding["remedy"]
