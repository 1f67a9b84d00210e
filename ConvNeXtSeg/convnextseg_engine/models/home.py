"""Where ConvNeXtSeg keeps what belongs to the user: models and their versions."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from ..errors import InputError


def home_folder() -> Path:
    """Return the user's ConvNeXtSeg folder; it need not exist yet.

    ``CONVNEXTSEG_HOME`` moves it. Otherwise it is the place where the platform keeps user data: ``%LOCALAPPDATA%`` on
    Windows, ``~/Library/Application Support`` on macOS, ``$XDG_DATA_HOME`` (``~/.local/share``) elsewhere.
    """
    chosen = os.environ.get("CONVNEXTSEG_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "ConvNeXtSeg"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "ConvNeXtSeg"
    data = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    return (Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share") / "convnextseg"


def check_writable(home: Path) -> None:
    """Make the folder if it is not there, and refuse it if nothing can be written into it.

    Raises:
        InputError: Before a long work whose result could not be kept.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        # Permission bits do not tell the truth on network drives and Windows: only writing does.
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise InputError(
            f"Nothing can be written into ConvNeXtSeg's folder {home}.",
            reason=f"{error.strerror or type(error).__name__}.",
            remedy="Set CONVNEXTSEG_HOME to a folder that can be written.",
            code="disk",
        ) from error
