"""Runs the command ``convnextseg`` as a person would, in this process, and hands back what it says."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import sys
from typing import Any

from convnextseg_engine.cli.main import main


class CommandFailed(Exception):
    """The command ended with another status than 0; it has told the user why already."""

    def __init__(self, status: int):
        super().__init__(f"convnextseg ended with status {status}")
        self.status = status


def convnextseg(*arguments: str) -> Any:
    """Show and run one command; return its result as ``--json`` gives it.

    Raises:
        CommandFailed: If its exit status is not 0.
    """
    print(f"$ convnextseg {shlex.join(arguments)}", flush=True)
    told = _Told()
    # In this process, because importing torch and OpenVINO afresh for every command would take most of the time.
    with contextlib.redirect_stdout(told):
        status = main([*arguments, "--json"])
    told.end_line()
    if status:
        raise CommandFailed(status)
    return told.result


class _Told(io.TextIOBase):
    """Reads the command's JSON lines: keeps the result, shows progress."""

    def __init__(self) -> None:
        self.result: Any = None
        self._rest = ""
        self._stage = ""
        self._screen = sys.stdout
        self._line_open = False

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._take(json.loads(line))
        return len(text)

    def _take(self, value: Any) -> None:
        event = value.get("event") if isinstance(value, dict) else "result"
        if event == "progress":
            self._progress(value)
        elif event == "result":
            self.result = value

    def _progress(self, value: dict[str, Any]) -> None:
        line = f"  {value['fraction']:4.0%}  {value['stage']}: {value['message']}"
        if self._screen.isatty():
            self._screen.write(f"\r\033[K{line[:110]}")
            self._line_open = True
        elif value["stage"] != self._stage:
            self._screen.write(line + "\n")
        self._screen.flush()
        self._stage = value["stage"]

    def end_line(self) -> None:
        """Leave the line on which progress was drawn."""
        if self._line_open:
            self._screen.write("\n")
            self._line_open = False
