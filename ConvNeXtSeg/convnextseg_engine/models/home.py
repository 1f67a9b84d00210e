"""Where ConvNeXtSeg keeps what belongs to the user: models and their versions."""

from __future__ import annotations

import os
import sys
from pathlib import Path


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
