"""*Cases for retraining*: export the corrected segmentation, and see what the case set holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, InputError, describe
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.contract import LabelContract

from ..scene.export import export_case
from .channels import ChannelSelectors
from .collaborators import Collaborators
from .section import Section, chosen_value, fill_choices
from .table import fill_table, prepare_table


class CasesSection(Section):
    """The section of the case set.

    Args:
        layout: Layout of the panel.
        collaborators: What it works with.
        channels: The volumes chosen under *Segment*.
        chosen_model: Returns the model chosen there, as ``"name@v2"`` or empty; a new case set gets its contract.
        on_changed: Called after the case set has changed or another was chosen.
    """

    def __init__(
        self,
        layout: qt.QVBoxLayout,
        collaborators: Collaborators,
        channels: ChannelSelectors,
        chosen_model: Callable[[], str],
        on_changed: Callable[[], None],
    ):
        super().__init__("cases", layout)
        self._with = collaborators
        self._channels, self._chosen_model, self._on_changed = channels, chosen_model, on_changed
        self._findings: dict[str, str] = {}
        ui = self.ui
        self._splits = {"train": _("training"), "validation": _("validation"), "test": _("test")}
        fill_choices(ui.splitSelector, [(text, split) for split, text in self._splits.items()], "train")
        prepare_table(ui.casesTable, [_("Case"), _("Split"), _("Channels"), _("Check")])
        ui.caseSetFolder.connect("currentPathChanged(QString)", self._on_folder)
        ui.exportButton.connect("clicked()", self.export)
        ui.checkCasesButton.connect("clicked()", self.check)
        self.refresh()

    def refresh(self) -> None:
        """Show what the parameters and the case set hold."""
        ui, parameters = self.ui, self._with.parameters
        if not parameters.case_set:
            parameters.case_set = self._with.settings.case_set
        blocked = ui.caseSetFolder.blockSignals(True)
        ui.caseSetFolder.currentPath = parameters.case_set
        ui.caseSetFolder.blockSignals(blocked)
        self._say("")
        self._list()

    def choose(self, segmentation: slicer.vtkMRMLSegmentationNode) -> None:
        """Take a segmentation as the one to export."""
        self.ui.segmentationSelector.setCurrentNode(segmentation)

    def export(self) -> None:
        """Write the channels and the corrected segmentation as a case."""
        self.messages.clear()
        self._say("")
        try:
            case = export_case(
                self.ui.segmentationSelector.currentNode(),
                self._volumes(),
                self._channels.reference,
                self._case_set(),
                self._case_id(),
                chosen_value(self.ui.splitSelector),
            )
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self._say(_("{case} was exported for {split}.").format(case=case.id, split=self.ui.splitSelector.currentText))
        self.ui.caseIdEdit.clear()
        self._list()
        self._on_changed()

    def check(self) -> None:
        """Read every case and show what is wrong with it."""
        self.messages.clear()
        try:
            with slicer.util.WaitCursor():
                findings = CaseSet.open(self._folder()).check()
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self._findings = {}
        for finding in findings:
            known = self._findings.get(finding.case, "")
            self._findings[finding.case] = f"{known} {finding.message} {finding.remedy}".strip()
        self._list()
        about_the_set = self._findings.get("", "")
        self._say(about_the_set or (_("See the table.") if findings else _("All cases are in order.")))

    def _folder(self) -> Path:
        folder = self._with.parameters.case_set
        if not folder:
            raise InputError(
                _("No case set is chosen."),
                remedy=_("Choose a folder for it; a new, empty one is fine."),
                code="no-case-set",
            )
        return Path(folder)

    def _volumes(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        volumes = self._channels.volumes()
        if not volumes:
            raise InputError(
                _("No volume is chosen."), remedy=_("Choose the images under Segment first."), code="no-volume"
            )
        return volumes

    def _case_id(self) -> str:
        case_id = self.ui.caseIdEdit.text.strip()
        if not case_id:
            raise InputError(
                _("The case has no name."),
                remedy=_("Give it one that does not identify the patient, for example case-001."),
                code="bad-name",
            )
        return case_id

    def _case_set(self) -> CaseSet:
        folder = self._folder()
        if folder.is_dir() and any(folder.iterdir()):
            return CaseSet.open(folder)
        return CaseSet.create(folder, self._contract())

    def _contract(self) -> LabelContract:
        return self._with.store().open(self._chosen_model()).contract

    def _on_folder(self, path: str) -> None:
        self._with.parameters.case_set = path
        self._with.settings.case_set = path
        self._findings = {}
        self._list()
        self._on_changed()

    def _list(self) -> None:
        try:
            cases = CaseSet.open(self._folder()).cases()
        except ConvNeXtSegError:
            cases = []  # a folder that is new, or none: there is nothing to list, and exporting says more
        rows = [(c.id, self._splits[c.split], ", ".join(c.channels), self._findings.get(c.id, "")) for c in cases]
        fill_table(self.ui.casesTable, rows)
        self.ui.casesTable.setVisible(bool(rows))
        self.ui.checkCasesButton.setVisible(bool(rows))

    def _say(self, text: str) -> None:
        self.ui.exportedLabel.setText(text)
        self.ui.exportedLabel.setVisible(bool(text))
