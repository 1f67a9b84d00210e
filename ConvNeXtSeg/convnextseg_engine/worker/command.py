"""How a worker is started: the command and the environment, the same from Slicer and from scripts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVER_MODULE = "convnextseg_engine.worker.server"
OPERATIONS_MODULE = "convnextseg_engine.worker.operations"
_ENGINE_PARENT = Path(__file__).resolve().parents[2]

# Fifteen minutes (DESIGN, decision 1): a coffee does not cost a restart, a forgotten Slicer gives its memory back.
IDLE_SECONDS = 15 * 60.0


def worker_arguments(
    role: str, *, parent_pid: int, idle_seconds: float = IDLE_SECONDS, operations: str = OPERATIONS_MODULE
) -> list[str]:
    """Return what follows the Python interpreter on the command line.

    Args:
        role: ``"segment"`` or ``"train"``.
        parent_pid: PID of the process without which the worker must not live (Slicer; the worker's own parent may be
            a launcher).
        idle_seconds: After so long without work the worker exits.
        operations: Module whose ``build()`` returns the operations that this worker offers.
    """
    # -P: a file called torch.py in the current folder must not be taken for the library.
    return [
        "-P", "-X", "utf8", "-m", SERVER_MODULE,
        "--role", role, "--parent-pid", str(parent_pid), "--idle-seconds", f"{idle_seconds:g}",
        "--operations", operations,
    ]  # fmt: skip


def worker_environment(base: Mapping[str, str] | None = None, extra_paths: Sequence[str | Path] = ()) -> dict[str, str]:
    """Return the environment of a worker: ``base`` (this process's if None) with the engine on Python's path and UTF-8.

    Args:
        base: Environment to start from.
        extra_paths: Further folders for Python's path, for example the private folder of installed requirements.
    """
    environment = dict(os.environ if base is None else base)
    paths = [str(_ENGINE_PARENT), *map(str, extra_paths), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment["PYTHONUTF8"] = "1"
    environment["PYTHONUNBUFFERED"] = "1"
    return environment
