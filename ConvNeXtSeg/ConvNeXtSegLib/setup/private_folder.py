"""Installing requirements into a folder of their own, which only the workers see.

For a read-only Slicer, for a department that shares one folder, and for computers without internet. ``pip install
--target`` by itself would copy numpy and everything else that Slicer has into the folder, where it would hide Slicer's
own. So pip is first asked what is really missing, with everything installed as constraints; exactly that is installed
then, without dependencies.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import qt
from slicer.i18n import tr as _

from convnextseg_engine.errors import ConvNeXtSegError

from .requirements import frozen_packages

# Slicer has these, in versions that it was built with; whatever pip thinks, they never go into the folder.
NEVER_INSTALLED = ("numpy", "simpleitk", "vtk")


class PrivateInstallation:
    """One run of pip into a folder, without blocking Slicer.

    Args:
        python: Program and first arguments of the Python of the workers.
        folder: Where the packages go.
        wheel_folder: Folder of wheel files that stands in for the network, or empty.
        missing: Requirement lines to install.
        on_line: Called with each line that pip writes.
        on_done: Called with None, or with what went wrong.
    """

    def __init__(
        self,
        python: Sequence[str],
        folder: str,
        wheel_folder: str,
        missing: Sequence[str],
        on_line: Callable[[str], None],
        on_done: Callable[[ConvNeXtSegError | None], None],
    ):
        self._python, self._folder, self._missing = list(python), folder, list(missing)
        self._source = ["--no-index", "--find-links", wheel_folder] if wheel_folder else []
        self._on_line, self._on_done = on_line, on_done
        self._work = tempfile.TemporaryDirectory(prefix="convnextseg-")
        self._report = Path(self._work.name) / "report.json"
        self._process: qt.QProcess | None = None
        self._after: Callable[[], None] = self._install
        self._lines: list[str] = []

    def start(self) -> None:
        """Ask pip what is missing, then install it."""
        constraints = Path(self._work.name) / "constraints.txt"
        constraints.write_text("\n".join(frozen_packages(self._missing)) + "\n", encoding="utf-8")
        options = ["--dry-run", "--quiet", "--report", str(self._report), "--constraint", str(constraints)]
        self._run(["install", *options, *self._source, *self._missing], self._install)

    def cancel(self) -> None:
        """End pip; the folder may hold a part, which the next installation completes."""
        if self._process is not None:
            self._process.kill()

    def _install(self) -> None:
        entries = json.loads(self._report.read_text(encoding="utf-8"))["install"]
        found = {entry["metadata"]["name"]: entry["metadata"]["version"] for entry in entries}
        exact = [f"{name}=={version}" for name, version in found.items() if name.lower() not in NEVER_INSTALLED]
        if not exact:
            self._finish(None)
            return
        Path(self._folder).mkdir(parents=True, exist_ok=True)
        options = ["--target", self._folder, "--upgrade", "--no-deps", "--progress-bar", "off"]
        self._run(["install", *options, *self._source, *exact], lambda: self._finish(None))

    def _run(self, arguments: list[str], after: Callable[[], None]) -> None:
        self._after = after
        process = qt.QProcess()
        process.setProcessChannelMode(qt.QProcess.MergedChannels)
        process.connect("readyReadStandardOutput()", self._read)
        process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._on_process_error)
        self._process = process
        program, *first = self._python
        process.start(program, [*first, "-m", "pip", *arguments])

    def _read(self) -> None:
        text = self._process.readAllStandardOutput().data().decode("utf-8", "replace")
        for line in filter(None, (line.strip() for line in text.splitlines())):
            self._lines.append(line)
            self._on_line(line)

    def _on_process_error(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:
            self._finish(self._failure(_("Python could not be started.")))

    def _on_finished(self, exit_code: int, _status: int) -> None:
        self._read()
        if exit_code:
            self._finish(self._failure(self._lines[-1] if self._lines else _("pip ended without a message.")))
        else:
            self._after()

    def _finish(self, error: ConvNeXtSegError | None) -> None:
        self._process = None
        self._work.cleanup()
        self._on_done(error)

    def _failure(self, reason: str) -> ConvNeXtSegError:
        return ConvNeXtSegError(
            _("The requirements could not be installed into the package folder."),
            reason=reason,
            remedy=_("Check the network connection, or name a folder with the wheel files under “Offline packages”."),
            code="install-failed",
        )
