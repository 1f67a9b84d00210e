"""A text for a question in the forum: versions, devices, the workers' last messages; nothing about patients."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from convnextseg_engine import __version__

from .requirements import RequirementState


def diagnostics(states: Sequence[RequirementState], doctor: dict[str, Any] | None, logs: dict[str, str]) -> str:
    """Return the text.

    Args:
        states: What is there of the requirements.
        doctor: What the worker said about the computer, or None if it was not asked.
        logs: The last lines of each worker, by role.
    """
    lines = [
        f"ConvNeXtSeg {__version__}",
        f"Slicer {slicer.app.applicationVersion}, Python {platform.python_version()}, {platform.platform()}",
        *(f"{state.requirement}: {state.installed or 'missing'}" for state in states),
    ]
    if doctor is not None:
        lines += ["", "Worker:", json.dumps(doctor, indent=1, ensure_ascii=False)]
    for role, log in logs.items():
        if log:
            lines += ["", f"Last lines of the {role} worker:", log]
    # The user's folder is usually named after the user.
    return "\n".join(lines).replace(str(Path.home()), "~")
