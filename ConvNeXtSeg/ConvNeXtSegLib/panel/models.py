"""*Models and versions*: which versions there are, what was decided about them, and the way back."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from convnextseg_engine.errors import describe
from convnextseg_engine.models.folder import README
from convnextseg_engine.models.store import VersionInfo

from .collaborators import Collaborators
from .section import Section
from .table import fill_table, prepare_table


class ModelsSection(Section):
    """The section of the model store.

    Args:
        layout: Layout of the panel.
        collaborators: What it works with.
        chosen_model: Returns the model chosen under *Segment*, as ``"name@v2"`` or empty.
        on_changed: Called after another version has become the current one.
    """

    def __init__(
        self,
        layout: qt.QVBoxLayout,
        collaborators: Collaborators,
        chosen_model: Callable[[], str],
        on_changed: Callable[[], None],
    ):
        super().__init__("models", layout)
        self._with = collaborators
        self._chosen_model, self._on_changed = chosen_model, on_changed
        self._versions: list[VersionInfo] = []
        ui = self.ui
        prepare_table(ui.versionsTable, [_("Version"), _("State"), _("Made"), _("Verdict")])
        ui.versionsTable.connect("itemSelectionChanged()", self._on_selected)
        ui.rollbackButton.connect("clicked()", self.roll_back)
        ui.cardButton.toggled.connect(self._on_card)
        ui.cardText.setVisible(False)
        self._say("")
        self.refresh()

    @property
    def name(self) -> str:
        """Name of the model whose versions are shown."""
        return self._chosen_model().partition("@")[0]

    def refresh(self) -> None:
        """Read the store again."""
        self._versions = self._with.store().versions(self.name) if self.name else []
        rows = [(v.version, _state(v), v.created[:10], _verdict(v)) for v in self._versions]
        blocked = self.ui.versionsTable.blockSignals(True)
        fill_table(self.ui.versionsTable, rows, [v.title for v in self._versions])
        current = next((r for r, v in enumerate(self._versions) if v.status == "current"), -1)
        if current >= 0:
            self.ui.versionsTable.selectRow(current)
        self.ui.versionsTable.blockSignals(blocked)
        self._show_card()

    def roll_back(self) -> None:
        """Use the version again that was in use before."""
        self.messages.clear()
        self._say("")
        try:
            version = self._with.store().rollback(self.name)
        except Exception as error:
            self.messages.show_error(describe(error))
            return
        self._on_changed()
        self._say(_("{version} is in use again. No version was deleted.").format(version=version))

    def _on_selected(self) -> None:
        self._show_card()

    def _on_card(self, shown: bool) -> None:
        self.ui.cardText.setVisible(shown)
        self._show_card()

    def _show_card(self) -> None:
        if not self.ui.cardButton.isChecked():
            return
        row = self.ui.versionsTable.currentRow()
        info = self._versions[row] if 0 <= row < len(self._versions) else None
        card = info.path / README if info is not None else None
        text = card.read_text(encoding="utf-8") if card is not None and card.is_file() else ""
        self.ui.cardText.setMarkdown(text or _("This version has no model card."))

    def _say(self, text: str) -> None:
        self.ui.modelsStatusLabel.setText(text)
        self.ui.modelsStatusLabel.setVisible(bool(text))


def _state(info: VersionInfo) -> str:
    return {
        "current": _("in use"),
        "former": _("was in use"),
        "candidate": _("candidate"),
        "damaged": _("damaged"),
    }[info.status]


def _verdict(info: VersionInfo) -> str:
    if info.bundled:
        return _("came with ConvNeXtSeg")
    result = str(info.verdict.get("text", "")).partition("\n")[0]
    return result.partition(": ")[2] or _("not judged")
