"""Which Python runs the worker, and in which environment.

Normally it is ``PythonSlicer``, which sees the packages that Slicer bundles. A person may name another Python under
*System*; it then starts from the environment that Slicer itself was started from, because Slicer's own variables
(``PYTHONHOME``, library paths) would break it.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import InputError
from convnextseg_engine.worker.command import worker_arguments, worker_environment

# What of Slicer's present environment the worker must see although it changed after Slicer was started.
_PASSED_ON = "CONVNEXTSEG_"


@dataclass(frozen=True)
class WorkerLaunch:
    """How a worker is started.

    Attributes:
        command: The program and its first arguments, without those of the worker itself.
        environment: All environment variables of the worker.
        idle_minutes: After so long without work it exits.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    idle_minutes: float

    def command_line(self, role: str) -> tuple[str, list[str]]:
        """Return the program and all its arguments for a worker of ``role``; Slicer is the process it depends on."""
        program, *first = self.command
        rest = worker_arguments(role, parent_pid=os.getpid(), idle_seconds=self.idle_minutes * 60.0)
        return program, [*first, *rest]


def slicer_python() -> Path:
    """Return the path of ``PythonSlicer``; raises :class:`InputError` if this Slicer has none."""
    name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
    candidates = [shutil.which("PythonSlicer"), Path(slicer.app.slicerHome) / "bin" / name]
    for candidate in candidates:
        if candidate and Path(candidate).is_file():
            return Path(candidate)
    raise InputError(
        _("Slicer's own Python was not found."),
        reason=_("There is no PythonSlicer in {folder}.").format(folder=Path(slicer.app.slicerHome) / "bin"),
        remedy=_("Install Slicer again, or choose another Python under System."),
        code="no-python",
    )


def chosen_python(path: str) -> Path:
    """Return the Python at ``path``, Slicer's own if ``path`` is empty; raises :class:`InputError` if it is missing."""
    if not path:
        return slicer_python()
    if Path(path).is_file() and os.access(path, os.X_OK):
        return Path(path)
    raise InputError(
        _("The Python chosen under System cannot be used."),
        reason=_("There is no program at {path}.").format(path=path),
        remedy=_("Choose a python executable there, or leave the field empty to use Slicer's own."),
        code="no-python",
    )


def slicer_launch(python_path: str = "", private_folder: str = "", idle_minutes: float = 15.0) -> WorkerLaunch:
    """Return how Slicer starts a worker.

    Args:
        python_path: Another Python, or empty for Slicer's own.
        private_folder: Folder of packages that only the worker sees, or empty.
        idle_minutes: After so long without work the worker exits.

    Raises:
        InputError: If that Python does not exist.
    """
    base = dict(slicer.util.startupEnvironment())
    # The worker sees its own code, the private folder and nothing else that somebody put on Python's path.
    base.pop("PYTHONPATH", None)
    base |= {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
    environment = worker_environment(base, [private_folder] if private_folder else [])
    return WorkerLaunch((str(chosen_python(python_path)),), environment, idle_minutes)
