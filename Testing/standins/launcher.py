"""A stand-in for PythonSlicer: a launcher that starts the real Python as its child.

What it shares with Slicer's launcher, and what code that starts workers has to cope with:

- the process that was started is not the one that works: the real PID is another one;
- killing the launcher leaves the real process running;
- in the child, ``sys.executable`` names the launcher, so whatever starts ``sys.executable`` starts a launcher again;
- it may print to stdout before the child does.

``forward="inherit"`` hands the child the launcher's own stdio, as Slicer's launcher does; ``"copy"`` copies the bytes
through pipes, as launchers that show the child's output do: there the child's stdio dies with the launcher.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

_SITE = Path(__file__).resolve().parent / "launcher_site"


def make_launcher(folder: Path, forward: str = "inherit", python: str = sys.executable) -> Path:
    """Write an executable into ``folder`` that is called like a Python and starts ``python`` as its child."""
    script = folder / "PythonSlicer"
    words = [python, "-S", "-E", str(Path(__file__).resolve()), forward, str(script), python]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


def main(forward: str, own_name: str, python: str, *arguments: str) -> int:
    environment = dict(os.environ, CONVNEXTSEG_STANDIN_LAUNCHER=own_name)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_SITE), environment.get("PYTHONPATH")]))
    sys.stdout.write("a launcher says something without a line feed")
    sys.stdout.flush()
    if forward == "inherit":
        return subprocess.Popen([python, *arguments], env=environment).wait()
    child = subprocess.Popen(
        [python, *arguments],
        env=environment,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    threading.Thread(target=_copy, args=(sys.stdin.buffer.raw, child.stdin, True), daemon=True).start()
    outputs = [
        threading.Thread(target=_copy, args=(source, target.buffer.raw, False))
        for source, target in ((child.stdout, sys.stdout), (child.stderr, sys.stderr))
    ]
    for thread in outputs:
        thread.start()
    for thread in outputs:
        thread.join()
    return child.wait()


def _copy(source, target, then_close: bool) -> None:
    """Copy until the end; the launcher's own outputs stay open until it exits."""
    with contextlib.suppress(OSError):
        shutil.copyfileobj(source, target)
    if then_close:
        target.close()


if __name__ == "__main__":
    status = main(*sys.argv[1:])
    os._exit(status if status >= 0 else 128 - status)
