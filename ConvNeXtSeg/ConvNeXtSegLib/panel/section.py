"""What every section of the panel has: its ``.ui``, its place in the panel, and room for a message."""

from __future__ import annotations

from pathlib import Path

import qt

import slicer

from .messages import MessageArea

UI_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "UI"


class Section:
    """A collapsible part of the panel, loaded from the ``.ui`` of the same name.

    Args:
        name: ``"segment"``, …: name of the ``.ui`` and prefix of its collapsible button.
        layout: Layout of the panel.
    """

    def __init__(self, name: str, layout: qt.QVBoxLayout):
        self.widget = slicer.util.loadUI(str(UI_FOLDER / f"{name}.ui"))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.collapsible = getattr(self.ui, f"{name}Collapsible")
        self.messages = MessageArea(self.ui.messageHolder) if hasattr(self.ui, "messageHolder") else None
        self.widget.setMRMLScene(slicer.mrmlScene)
        layout.addWidget(self.widget)

    def open(self) -> None:
        """Unfold the section."""
        self.collapsible.collapsed = False


def fill_choices(selector: qt.QComboBox, choices: list[tuple[str, str]], chosen: str) -> None:
    """Put ``(text, value)`` pairs into a combo box and select ``chosen``, without signals."""
    blocked = selector.blockSignals(True)
    selector.clear()
    for text, value in choices:
        selector.addItem(text, value)
    selector.setCurrentIndex(max(0, selector.findData(chosen)) if choices else -1)
    selector.blockSignals(blocked)


def chosen_value(selector: qt.QComboBox) -> str:
    """Return the value of the selected entry, empty if there is none."""
    index = selector.currentIndex
    return selector.itemData(index) if index >= 0 else ""
