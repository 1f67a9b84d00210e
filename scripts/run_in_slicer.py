"""Run the shipped self-tests inside an installed Slicer: ``python3 scripts/run_in_slicer.py --slicer PATH``.

PATH is the Slicer executable, or the folder of the installation. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
MODULE_FOLDER = SCRIPTS.parent / "ConvNeXtSeg"
EXECUTABLES = ("Slicer", "Slicer.exe", "Contents/MacOS/Slicer", "Slicer.app/Contents/MacOS/Slicer")


@dataclass
class Outcome:
    """What the log of one run says.

    Attributes:
        passed: Names of the tests that passed.
        failed: Details by the name of the test that failed.
        skipped: Reasons by the name of the test that was skipped.
        unfinished: The tests that began and never ended: Slicer crashed or was killed in them.
        complete: Whether the run reached its end.
        slicer: Slicer's version, empty if the run did not reach its end.
    """

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    complete: bool = False
    slicer: str = ""

    @property
    def good(self) -> bool:
        """Whether the run is complete, something passed and nothing failed."""
        return self.complete and bool(self.passed) and not self.failed and not self.unfinished


def read_log(text: str) -> Outcome:
    """Turn the log that ``selftests_in_slicer.py`` writes into an :class:`Outcome`; a cut last line is a crash."""
    outcome = Outcome()
    for raw in text.splitlines():
        try:
            line = json.loads(raw)
        except ValueError:
            outcome.failed["reading the log"] = f"this line is cut: {raw[:200]}"
            continue
        event, test = line["event"], line.get("test", "")
        if event == "start":
            outcome.unfinished.append(test)
            continue
        if test in outcome.unfinished:
            outcome.unfinished.remove(test)
        if event == "passed":
            outcome.passed.append(test)
        elif event == "done":
            outcome.complete, outcome.slicer = True, line["slicer"]
        else:
            {"failed": outcome.failed, "skipped": outcome.skipped}[event][test] = line["details"]
    return outcome


def find_executable(place: Path) -> Path | None:
    """Return the Slicer executable at ``place``, which may be it or the folder that holds it."""
    candidates = [place, *(place / name for name in EXECUTABLES)]
    return next((path for path in candidates if path.is_file()), None)


def run(slicer: Path, timeout_s: float, module_folder: Path = MODULE_FOLDER) -> tuple[Outcome, str, str]:
    """Start Slicer without a main window, run the self-tests in it and end it.

    Args:
        slicer: The executable.
        timeout_s: Seconds after which Slicer is killed.
        module_folder: The folder with ``ConvNeXtSeg.py``.

    Returns:
        The outcome, what is wrong with the run as a whole (empty if nothing), and Slicer's console output.
    """
    with tempfile.TemporaryDirectory(prefix="convnextseg-selftest-") as folder:
        log = Path(folder) / "selftest.jsonl"
        log.touch()
        command = [
            str(slicer), "--testing", "--no-main-window", "--no-splash", "--ignore-slicerrc",
            "--additional-module-paths", str(module_folder),
            "--python-script", str(SCRIPTS / "selftests_in_slicer.py"),
        ]  # fmt: skip
        home = Path(folder) / "home"
        variables = {**os.environ, "CONVNEXTSEG_SELFTEST_LOG": str(log), "CONVNEXTSEG_HOME": str(home)}
        # A file, not a pipe: a child that Slicer leaves behind would keep a pipe open, and this script waiting.
        with (Path(folder) / "console.txt").open("w+b") as console:
            process = subprocess.Popen(
                command, env=variables, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
            )
            try:
                status, trouble = process.wait(timeout_s), ""
            except subprocess.TimeoutExpired:
                _kill(process)
                status, trouble = 0, f"Slicer did not end within {timeout_s:.0f} s and was killed."
            console.seek(0)
            said = console.read().decode("utf-8", "replace")
        outcome = read_log(log.read_text(encoding="utf-8", errors="replace"))
    if not trouble and status != 0 and outcome.good:
        trouble = f"Every test passed, but Slicer ended with status {status}."
    if not trouble and not outcome.complete:
        trouble = f"Slicer ended with status {status} before the self-tests were done."
    return outcome, trouble, said


def _kill(process: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        # Slicer.exe is a launcher: ending it alone would leave the real process.
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    process.kill()
    process.wait()


def main() -> int:
    """Run, print one line per test, and return 0 (all passed), 1 (something failed) or 2 (no Slicer there)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slicer", type=Path, required=True, help="the Slicer executable or its folder")
    parser.add_argument("--timeout", type=float, default=900, metavar="S", help="seconds allowed (default: 900)")
    parser.add_argument(
        "--module-folder",
        type=Path,
        default=MODULE_FOLDER,
        help="folder with ConvNeXtSeg.py (default: this checkout's)",
    )
    arguments = parser.parse_args()
    executable = find_executable(arguments.slicer)
    if executable is None:
        print(f"There is no Slicer at {arguments.slicer}. Give the executable or its folder.", file=sys.stderr)
        return 2
    outcome, trouble, said = run(executable, arguments.timeout, arguments.module_folder)
    for test in outcome.passed:
        print(f"passed   {test}")
    for test, reason in outcome.skipped.items():
        print(f"skipped  {test}: {reason}")
    for test in outcome.unfinished:
        print(f"FAILED   {test}: Slicer ended while it ran")
    for test, details in outcome.failed.items():
        print(f"FAILED   {test}\n{details}")
    good = outcome.good and not trouble
    if not good:
        print(f"--- Slicer's console\n{said}\n---")
    print(trouble or f"Slicer {outcome.slicer}: {len(outcome.passed)} passed, {len(outcome.failed)} failed.")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
