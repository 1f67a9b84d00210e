"""Run as a program: reads files as the importer does, and tells what each attempt did to the computer.

``python watched_reading.py FOLDER`` prints one JSON object a file: the error, the peak of memory beyond what the
interpreter had taken before, and every attempt to start a process or to open a file for writing.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

_PROCESSES = (
    "subprocess.Popen",
    "os.system",
    "os.fork",
    "os.forkpty",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

seen: dict[str, list[str]] = {"processes": [], "writes": []}
watching = False


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not watching:
        return
    if event in _PROCESSES or event.startswith("os.exec") or event == "ctypes.dlopen":
        seen["processes"].append(event)
    elif event == "open":
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING):
            seen["writes"].append(str(path))
    elif event in ("os.rename", "os.link", "os.symlink", "os.mkdir", "shutil.move"):
        seen["writes"].append(str(arguments[0]))


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(field)


def main(folder: Path) -> None:
    from convnextseg_engine.checkpoints.answers import ImportAnswers
    from convnextseg_engine.checkpoints.recognise import source, what_is
    from convnextseg_engine.errors import ConvNeXtSegError
    from convnextseg_engine.networks import monai_named  # noqa: F401 (MONAI's own imports make folders)

    global watching
    answers = ImportAnswers(
        channels=("T1",),
        labels=(("edema", 1),),
        spacing=(1.0, 1.0, 1.0),
        axes="SPL",
        intensity="none",
        licence="unknown",
    )
    scratch = tempfile.gettempdir()
    sys.addaudithook(_watch)
    files = sorted(folder.iterdir())
    for turn, file in enumerate([files[0], *files]):  # the first is read once to have everything imported
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        before = _memory("VmRSS")
        seen["processes"].clear()
        seen["writes"].clear()
        told: dict[str, object] = {"file": file.name, "size": file.stat().st_size, "error": None}
        started = time.process_time()
        watching = True
        try:
            with source(file) as readable:
                what_is(readable).read(readable, answers)
        except ConvNeXtSegError as error:
            told |= {"error": error.code, "text": str(error), "wanted": getattr(error, "wanted", "")}
        except BaseException:
            told |= {"error": "traceback", "text": traceback.format_exc()}
        watching = False
        told["seconds"] = time.process_time() - started
        outside = [path for path in seen["writes"] if not path.startswith(f"{scratch}/convnextseg-import-")]
        told |= {
            "peak": max(0, _memory("VmHWM") - before),
            "processes": list(seen["processes"]),
            "writes": outside,
            "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text().split(),
        }
        if turn:
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
