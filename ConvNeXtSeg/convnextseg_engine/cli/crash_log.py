"""Where the technical details of a bug go: a file in the user's ConvNeXtSeg folder."""

from __future__ import annotations

import platform
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..durable import write_text
from ..models.home import home_folder

_COMMAND_WORDS = {
    "segment", "cases", "finetune", "evaluate", "models", "doctor", "list", "check", "show", "promote", "rollback",
    "auto", "cuda", "torch", "openvino", "train", "validation", "test", "adapt",
}  # fmt: skip


def write_crash_log(error: BaseException, argv: list[str]) -> Path | None:
    """Write the traceback of ``error`` and return the file, or None if it cannot be written.

    Paths that the user gave are blotted out, because folder and file names often hold a patient's name.
    """
    text = "".join(traceback.format_exception(error))
    for number, value in sorted(_private(argv), key=lambda item: -len(item[1])):
        text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"<argument {number}>", text)
    header = (
        f"convnextseg {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
    )
    folder = home_folder() / "logs"
    path = folder / f"error-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file name that is not Unicode must not keep the log from being written.
        write_text(path, (header + text).encode("utf-8", "backslashreplace").decode("utf-8"))
    except OSError:
        return None
    return path


def _private(argv: list[str]) -> list[tuple[int, str]]:
    """Arguments that may name a person, by position: whole, the part behind ``=``, and the file's own name."""
    found = []
    for number, argument in enumerate(argv, start=1):
        if argument.startswith("-") and "=" not in argument:
            continue
        value = argument.partition("=")[2] or argument
        for part in (argument, value, str(Path(value).absolute()), Path(value).name):
            # Short words name nobody, and blotting them or the commands out would garble the traceback.
            if len(part) > 3 and part not in _COMMAND_WORDS:
                found.append((number, part))
    return found
