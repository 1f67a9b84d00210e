"""Modal dialogs: nobody clicks in a test, so each one is answered by what the test queued, or fails at once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from PySide6 import QtWidgets

from standins.calls import replaces


class UnexpectedDialog(AssertionError):
    """A modal dialog opened that the test did not announce."""


@dataclass(frozen=True)
class ShownDialog:
    """One dialog that opened: which (``QFileDialog.getOpenFileName``, ``ctkMessageBox.exec``), its title and text."""

    kind: str
    title: str
    text: str


class Dialogs:
    """Answers for the dialogs to come, and a record of those that came."""

    def __init__(self) -> None:
        self.shown: list[ShownDialog] = []
        self.unannounced: list[ShownDialog] = []
        self._answers: deque = deque()

    def will_answer(self, *answers: object) -> None:
        """Queue answers: a value (path, tuple of paths, button, text), or a function of the ``ShownDialog``."""
        self._answers.extend(answers)

    @property
    def unused(self) -> tuple:
        """Answers that no dialog has taken."""
        return tuple(self._answers)

    def open(self, shown: ShownDialog) -> object:
        self.shown.append(shown)
        if not self._answers:
            self.unannounced.append(shown)
            raise UnexpectedDialog(f"a dialog opened that the test did not announce: {shown}")
        answer = self._answers.popleft()
        return answer(shown) if callable(answer) else answer


_current: list[Dialogs] = [Dialogs()]


def use(dialogs: Dialogs) -> None:
    """From now on dialogs ask this object."""
    _current[0] = dialogs


def ask(kind: str, title: str = "", text: str = "") -> object:
    """A dialog opens: the answer that the test queued for it."""
    return _current[0].open(ShownDialog(kind, title, text))


def _file_dialog(name: str, cancelled: object) -> None:
    # The functions return the path alone, without the chosen filter (29).
    @replaces("QFileDialog", name)
    def shown(_target: None, parent: object = None, caption: str = "", *_: object) -> object:
        answer = ask(f"QFileDialog.{name}", caption)
        return cancelled if answer is None else answer


for _name, _cancelled in (
    ("getOpenFileName", ""),
    ("getOpenFileNames", ()),
    ("getSaveFileName", ""),
    ("getExistingDirectory", ""),
):
    _file_dialog(_name, _cancelled)


def _message_box(name: str) -> None:
    @replaces("QMessageBox", name)
    def shown(_target: None, parent: object = None, title: str = "", text: str = "", *_: object) -> object:
        return ask(f"QMessageBox.{name}", title, text)


for _name in ("about", "critical", "information", "question", "warning"):
    _message_box(_name)


def _input_dialog(name: str) -> None:
    @replaces("QInputDialog", name)
    def shown(_target: None, parent: object = None, title: str = "", label: str = "", *_: object) -> object:
        return ask(f"QInputDialog.{name}", title, label)


for _name in ("getText", "getItem", "getInt", "getDouble", "getMultiLineText"):
    _input_dialog(_name)


@replaces("QDialog", "exec")
def run_dialog(target: QtWidgets.QDialog) -> object:
    text = target.text() if isinstance(target, QtWidgets.QMessageBox) else ""
    return ask(f"{type(target).__name__}.exec", target.windowTitle(), text)


@replaces("QMenu", "exec")
def run_menu(target: QtWidgets.QMenu | None, *_: object) -> object:
    return ask("QMenu.exec", "" if target is None else target.title())
