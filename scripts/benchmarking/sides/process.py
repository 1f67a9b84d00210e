"""A side in a process of its own: started once, told what to do, watched for its memory.

    python -m benchmarking.sides.process SIDE MODEL

reads one JSON object a line and answers each with one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

SIDES = ("ours", "monai", "nnunetv2", "nnunetv2-sequential", "exact")
_EVERY_S = 0.1


class SideProcess:
    """A side that runs, and what it takes.

    Args:
        name: One of :data:`SIDES`.
        model: The model's folder.
    """

    def __init__(self, name: str, model: Path):
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarking.sides.process", name, str(model)],
            cwd=Path(__file__).resolve().parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.does = self._answer()["does"]

    def network(self, windows: Path) -> float:
        """Return the seconds that the network takes for the windows in a ``.npy`` file."""
        return self._ask({"do": "network", "windows": str(windows)})["seconds"]

    def segment(self, files: dict[str, Path], output: Path) -> tuple[float, int]:
        """Return the seconds from file to file, and the most bytes that the process and its children had."""
        watch = _Watch(self._process.pid)
        named = {name: str(file) for name, file in files.items()}
        answer = self._ask({"do": "segment", "files": named, "output": str(output)})
        return answer["seconds"], watch.end()

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"The side {self.name} ended unexpectedly; its own words are above.")
        return json.loads(line)


class _Watch:
    """Samples the memory of a process and all its children until it is told to end."""

    def __init__(self, pid: int):
        self._root = psutil.Process(pid)
        self._most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Return the most bytes that were seen."""
        self._over.set()
        self._thread.join()
        return self._most

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            try:
                tree = [self._root, *self._root.children(recursive=True)]
                self._most = max(self._most, sum(map(_bytes_of, tree)))
            except psutil.Error:
                continue  # one of them has just ended


def _bytes_of(process: psutil.Process) -> int:
    """Return what a process has; pages shared with others count in part (Linux), so that a sum is a sum."""
    info = process.memory_full_info() if sys.platform == "linux" else process.memory_info()
    return getattr(info, "pss", info.rss)


def _made(name: str, folder: Path) -> Any:
    from convnextseg_engine.models.folder import ModelFolder

    model = ModelFolder.open(folder)
    if name in ("ours", "exact"):
        from .ours import Ours

        return Ours(model, plain=name == "exact")
    if name == "monai":
        from .with_monai import WithMonai

        return WithMonai(model)
    from .with_nnunet import WithNnunet

    return WithNnunet(model, sequential=name == "nnunetv2-sequential")


def main() -> None:
    """Answer requests until there are no more."""
    import numpy as np

    # Libraries print; what they print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    side = _made(sys.argv[1], Path(sys.argv[2]))
    answers.write(json.dumps({"does": side.does}) + "\n")
    for line in sys.stdin:
        request = json.loads(line)
        windows = np.load(request["windows"]) if request["do"] == "network" else None
        started = time.perf_counter()
        if windows is not None:
            side.network(windows)
        else:
            side.segment({name: Path(file) for name, file in request["files"].items()}, Path(request["output"]))
        answers.write(json.dumps({"seconds": time.perf_counter() - started}) + "\n")


if __name__ == "__main__":
    main()
