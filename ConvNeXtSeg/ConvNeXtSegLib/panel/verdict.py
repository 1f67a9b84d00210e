"""What the gate says about a new version, case by case, and the click that uses it."""

from __future__ import annotations

import html
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from slicer.i18n import tr as _

from .table import fill_table, prepare_table

# Outcomes against which a person may decide, but only with a reason that is kept.
_AGAINST = ("reject", "hard stop")


class VerdictView:
    """The lower part of the *Fine-tune* section.

    Args:
        ui: Widgets of that section.
        promote: Called with name, version, whether the verdict is overruled, and the person's note.
    """

    def __init__(self, ui: SimpleNamespace, promote: Callable[[str, str, bool, str], None]):
        self._ui, self._promote = ui, promote
        self._name, self._version, self._overrules = "", "", False
        prepare_table(ui.verdictTable, [_("Case"), _("What"), _("In use"), _("New"), _("Change")])
        ui.promoteButton.connect("clicked()", self._on_promote)
        ui.noteEdit.textChanged.connect(self._on_note)
        self.clear()

    @property
    def text(self) -> str:
        """The verdict as it is shown, without markup; empty if none is shown."""
        return self._text

    def clear(self) -> None:
        """Show nothing."""
        self._text = ""
        self._ui.verdictWidget.setVisible(False)

    def show(self, name: str, version: str, verdict: dict[str, Any]) -> None:
        """Show the verdict on ``version``.

        Args:
            name: Name of the model.
            version: The candidate.
            verdict: What ``Verdict.to_dict`` of the engine gives.
        """
        self._name, self._version = name, version
        self._overrules = verdict["outcome"] in _AGAINST
        self._text = verdict["text"].partition("\n\n")[0]
        self._ui.verdictLabel.setText("<br>".join(_with_bold_head(line) for line in self._text.splitlines()))
        rows = [
            (
                row["case"],
                row["target"],
                f"{row['current']:.3f}",
                f"{row['candidate']:.3f}",
                f"{row['difference']:+.3f}",
            )
            for row in verdict["table"]
        ]
        fill_table(self._ui.verdictTable, rows)
        self._ui.noteEdit.clear()
        self._ui.noteEdit.setPlaceholderText(
            _("Why you use it against the verdict (recorded)") if self._overrules else _("Note (optional, recorded)")
        )
        self._ui.promoteButton.setText(_("Use {version}").format(version=version))
        self._on_note("")
        self._ui.verdictWidget.setVisible(True)

    def _on_note(self, text: str) -> None:
        self._ui.promoteButton.setEnabled(bool(text.strip()) or not self._overrules)
        self._ui.promoteButton.setToolTip(
            ""
            if self._ui.promoteButton.isEnabled()
            else _("The verdict is against this version. Say why you use it all the same; it is kept with the version.")
        )

    def _on_promote(self) -> None:
        self._promote(self._name, self._version, self._overrules, self._ui.noteEdit.text.strip())


def _with_bold_head(line: str) -> str:
    head, colon, rest = line.partition(": ")
    return f"<b>{html.escape(head)}:</b> {html.escape(rest)}" if colon else html.escape(line)
