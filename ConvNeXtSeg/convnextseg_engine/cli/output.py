"""What the command prints: for people, or as JSON with one value a line."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..errors import ConvNeXtSegError
from ..progress import ProgressEvent, Reporter


class Output:
    """The command's output.

    Results go to standard output; progress for people, and errors, go to standard error. With ``as_json`` standard
    output holds JSON only: ``{"event": "progress", …}`` and ``{"event": "metrics", …}`` lines, then one line with
    ``{"event": "result", …}``, an array of objects for a list, or ``{"event": "error", …}``. Of several processes that
    ``torchrun`` started only the first one speaks.
    """

    def __init__(self, as_json: bool):
        self.as_json = as_json
        self._out, self._err = sys.stdout, sys.stderr
        for stream in (self._out, self._err):
            # A terminal that cannot show a character must not turn a result into an error.
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(errors="backslashreplace")
        self._redraw = not as_json and self._err.isatty()
        self._line_open = False
        self._last_stage = ""
        self._silent = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("RANK", "0") != "0"

    def reporter(self) -> Reporter:
        """Return a reporter whose events are printed."""
        if self._silent:
            return Reporter()
        return Reporter(on_progress=self._progress, on_metrics=self._metrics)

    def result(self, value: dict[str, Any] | list[dict[str, Any]], lines: Sequence[str]) -> None:
        """Print the result: ``value`` as JSON, or ``lines`` for people."""
        if self._silent:
            return
        self._finish_line()
        if self.as_json:
            self._json({"event": "result"} | value if isinstance(value, dict) else value)
        else:
            for line in lines:
                print(line, file=self._out, flush=True)

    def error(self, error: ConvNeXtSegError) -> None:
        """Print an error in plain words."""
        if self._silent:
            return
        self._finish_line()
        print(f"convnextseg: {' '.join(str(error).split())}", file=self._err, flush=True)
        if self.as_json:
            self._json({"event": "error"} | error.to_dict())

    def close(self) -> None:
        """Bring everything out, so that a closed pipe shows here and not when Python exits."""
        self._finish_line()
        self._out.flush()

    def abandon(self) -> None:
        """Keep Python from complaining at its exit about a pipe that the reader has closed."""
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def _progress(self, event: ProgressEvent) -> None:
        if self.as_json:
            self._json({"event": "progress"} | asdict(event))
            return
        if self._redraw:
            left = f", about {event.remaining_s:.0f} s left" if event.remaining_s is not None else ""
            print(
                f"\r\033[K{event.fraction:4.0%}  {event.stage}: {event.message}{left}",
                end="",
                file=self._err,
                flush=True,
            )
            self._line_open = True
        elif event.stage != self._last_stage:
            print(f"{event.stage}: {event.message}", file=self._err, flush=True)
        self._last_stage = event.stage

    def _metrics(self, values: dict[str, Any]) -> None:
        if self.as_json:
            self._json({"event": "metrics", "values": values})

    def _json(self, value: Any) -> None:
        # ASCII only, whatever the terminal's encoding.
        print(json.dumps(_finite(value), allow_nan=False), file=self._out, flush=True)

    def _finish_line(self) -> None:
        if self._line_open:
            print(file=self._err, flush=True)
            self._line_open = False


def _finite(value: Any) -> Any:
    """Return ``value`` with NaN and infinities as null, which JSON has; a loss or a distance may be undefined."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines with aligned columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
