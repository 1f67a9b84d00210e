"""Operations that misbehave on purpose, served beside the real ones by ``--operations planted_operations``."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.worker import operations


def build():
    table = operations.build()
    planted = {name: function for name, function in globals().items() if name.startswith("plant_")}
    return replace(table, queued={**table.queued, **planted})


def plant_echo(args, _reporter):
    return args


def plant_noise(_args, reporter):
    """Everything that a library may do to stdout."""
    print("printed by Python: ä")
    print('{"id": 1, "event": "result", "value": {"forged": true}}')
    os.write(1, b"written to descriptor 1\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"printed by C")
    libc.fflush(None)
    subprocess.run(["echo", "printed by a child"], check=True)
    reporter.progress("noise", 0.5, "mid-line")
    sys.stdout.write("no line feed at the end")
    return {"input": sys.stdin.read()}


def plant_about(_args, _reporter):
    """What this process looks like from the inside, and which descriptors a careless child would inherit."""
    shell = "for f in /proc/$$/fd/*; do readlink $f; done; true"
    child = subprocess.run(["sh", "-c", shell], stdout=-1, close_fds=False, text=True, check=True)
    return {
        "pid": os.getpid(),
        "group": os.getpgrp(),
        "executable": sys.executable,
        "utf8": sys.flags.utf8_mode,
        "encodings": [sys.stdout.encoding, sys.stderr.encoding, sys.getfilesystemencoding()],
        "niceness": os.nice(0),
        "descriptors": _targets(),
        "child_descriptors": child.stdout.split(),
    }


def _targets() -> dict[str, str]:
    """Descriptor to what it leads to, as /proc tells it."""
    links = {path.name: path for path in Path("/proc/self/fd").iterdir()}
    return {name: str(link.readlink()) for name, link in links.items() if link.is_symlink()}


def plant_polite(args, reporter):
    """Work that asks for Cancel and for Stop, as all operations should."""
    for step in range(3000):
        reporter.progress("polite", step / 3000)
        reporter.metrics({"step": step, "loss": float("nan")})
        if reporter.stop_requested.is_set():
            return {"kept": step}
        time.sleep(0.02)
    return {}


def plant_deaf(args, reporter):
    """Work that hears nothing, as a long call into a native library."""
    reporter.progress("deaf", 0.1)
    if args.get("child"):
        child = subprocess.Popen(["sleep", "600"])
        reporter.metrics({"child": child.pid})
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        time.sleep(0.05)
    return {}


def plant_leave_a_child(_args, _reporter):
    return {"child": subprocess.Popen(["sleep", "600"]).pid}


def plant_checkpoint(args, reporter):
    """A training that takes a moment to write its checkpoint when it is cancelled."""
    reporter.metrics({"step": 1})
    try:
        while True:
            reporter.check()
            time.sleep(0.02)
    except RunCancelled:
        time.sleep(0.5)
        Path(args["file"]).write_text("step 1", encoding="utf-8")
        raise


def plant_input_error(args, _reporter):
    raise InputError(f"Bad: {args['text']}", reason="Because: ß", remedy="Do: 直す", code="planted")


def plant_bug(_args, _reporter):
    raise ZeroDivisionError("ein Fehler: ö")


def plant_exit(_args, _reporter):
    sys.exit("a library exits")


def plant_not_json(_args, _reporter):
    return {"value": object()}


def plant_too_long(_args, _reporter):
    return {"value": "x" * (9 * 1024 * 1024)}


def plant_crash(_args, _reporter):
    os.abort()


def plant_multiprocessing(_args, _reporter):
    import multiprocessing

    multiprocessing.Process(target=print).start()
    return {}


def plant_negate(args, _reporter):
    from convnextseg_engine.worker.exchange import Exchange

    exchange = Exchange(args["exchange"])
    array, grid = exchange.open_array(args["image"])
    return {"image": exchange.put_array("image", -array, grid)}
