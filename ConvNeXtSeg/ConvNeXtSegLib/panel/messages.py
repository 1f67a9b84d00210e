"""Errors and notes in the panel: what happened, why, what to do next; technical details one click away."""

from __future__ import annotations

import html
from pathlib import Path

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError

_UI = Path(__file__).resolve().parents[2] / "Resources" / "UI" / "message.ui"
_ICON_SIZE = 24


class MessageArea:
    """Shows at most one message in a holder widget; without one it takes no room.

    Args:
        holder: An empty widget with a box layout.
    """

    def __init__(self, holder: qt.QWidget):
        self._holder = holder
        self._widget = slicer.util.loadUI(str(_UI))
        self._ui = slicer.util.childWidgetVariables(self._widget)
        holder.layout().addWidget(self._widget)
        self._ui.messageDetailsButton.toggled.connect(self._ui.messageDetails.setVisible)
        self._ui.messageDismissButton.clicked.connect(lambda *_args: self.clear())
        self.clear()

    @property
    def text(self) -> str:
        """The message as plain lines, empty if there is none."""
        return self._text

    @property
    def details(self) -> str:
        """The technical details, empty if there are none."""
        return self._ui.messageDetails.toPlainText()

    def clear(self) -> None:
        """Remove the message."""
        self._text = ""
        self._ui.messageDetails.setPlainText("")
        self._holder.setVisible(False)

    def show_error(self, error: ConvNeXtSegError, details: str = "") -> None:
        """Show an error in its three parts."""
        self._show(qt.QStyle.SP_MessageBoxWarning, error.message, error.reason, error.remedy, details)

    def show_note(self, what: str, why: str = "", what_next: str = "") -> None:
        """Show something that is worth knowing and no error."""
        self._show(qt.QStyle.SP_MessageBoxInformation, what, why, what_next, "")

    def _show(self, icon: int, what: str, why: str, what_next: str, details: str) -> None:
        self._text = "\n".join(part for part in (what, why, what_next) if part)
        lines = [f"<b>{html.escape(what)}</b>", html.escape(why)]
        if what_next:
            lines.append(_("<i>What to do:</i> {text}").format(text=html.escape(what_next)))
        self._ui.messageText.setText("<br>".join(line for line in lines if line))
        pixmap = self._widget.style().standardIcon(icon).pixmap(_ICON_SIZE, _ICON_SIZE)
        self._ui.messageIcon.setPixmap(pixmap)
        self._ui.messageDetails.setPlainText(details)
        self._ui.messageDetails.setVisible(False)
        self._ui.messageDetailsButton.setChecked(False)
        self._ui.messageDetailsButton.setVisible(bool(details))
        self._holder.setVisible(True)
