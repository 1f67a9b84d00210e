"""``convnextseg doctor``: what this computer offers, without anything that names a person."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import describe
from .output import Output, table

_NEEDED = ("torch", "monai", "SimpleITK", "numpy", "safetensors", "pillow")
_OPTIONAL = ("openvino", "distributed")


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "doctor", parents=[common], help="show what this computer offers",
        description="Show versions, devices, memory, and whether the models and the user's folder are in order.",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Look and tell."""
    found = findings()
    output.result(found, _lines(found))


def findings() -> dict[str, Any]:
    """Return what is there, JSON-ready.

    Keys: ``engine``, ``python``, ``platform``, ``packages`` and ``devices`` and ``models`` (arrays of objects with
    ``name``), ``cpu``, ``memory_gb``, ``home``, ``backend`` and ``problems`` (sentences; empty if all is well).
    """
    packages = [{"name": name, "version": _version(name), "needed": name in _NEEDED} for name in (*_NEEDED, *_OPTIONAL)]
    problems = [
        f"{entry['name']} is not installed. Install it with: pip install {entry['name']}."
        for entry in packages
        if entry["needed"] and entry["version"] is None
    ]
    home, home_problems = _home()
    models, model_problems = _models()
    devices, device_problems = _devices()
    has_openvino = _version("openvino") is not None
    return {
        "engine": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": packages,
        "cpu": {"model": _cpu_model(), "cores": os.cpu_count()},
        "memory_gb": _memory_gb(),
        "devices": devices,
        "backend": {"cpu": "openvino" if has_openvino else "torch", "gpu": "torch"},
        "home": home,
        "models": models,
        "problems": [*problems, *device_problems, *home_problems, *model_problems],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> tuple[list[dict[str, str]], list[str]]:
    try:
        from ..inference.device import available_devices

        return [{"name": device.name, "description": device.reason} for device in available_devices()], []
    except Exception as error:  # a broken torch must not keep the doctor from telling the rest
        return [], [f"PyTorch cannot be used: {type(error).__name__}: {_without_user(str(error))}."]


def _home() -> tuple[dict[str, Any], list[str]]:
    from ..models.home import home_folder

    home = home_folder()
    existing = home
    while not existing.exists() and existing != existing.parent:  # a drive that is not there is its own parent
        existing = existing.parent
    try:
        # Permission bits do not tell the truth on network drives and Windows: only writing does.
        with tempfile.TemporaryFile(dir=existing):
            writable = True
    except OSError:
        writable = False
    shown = _without_user(str(home))
    problems = [] if writable else [f"The folder {shown} cannot be written; set CONVNEXTSEG_HOME to one that can."]
    free = round(shutil.disk_usage(existing).free / 1e9, 1) if existing.exists() else 0.0
    return {"path": shown, "exists": home.is_dir(), "writable": writable, "free_disk_gb": free}, problems


def _models() -> tuple[list[dict[str, Any]], list[str]]:
    from ..models.folder import ModelFolder
    from ..models.store import ModelStore

    store = ModelStore()
    found, problems = [], []
    for name in store.names():
        for version in store.versions(name):
            spec = f"{name}@{version.version}"
            try:
                ModelFolder.open(version.path, verify=True)
                intact = True
            except Exception as error:
                intact = False
                problems.append(f"{spec}: {_without_user(str(describe(error)))}")
            found.append({"name": spec, "bundled": version.bundled, "status": version.status, "intact": intact})
    if not any(model["bundled"] for model in found):
        problems.append("No model ships with this installation; install ConvNeXtSeg again.")
    return found, problems


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return _windows_memory_gb() if sys.platform == "win32" else None


def _windows_memory_gb() -> float | None:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "page_total", "page_free", "virtual_total", "virtual_free", "extended_free")
        ]

    status = Status(length=ctypes.sizeof(Status))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return round(status.total / 1e9, 1)


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _without_user(text: str) -> str:
    """Return ``text`` with the user's folder as ``~``, because its name is usually the user's."""
    folder = str(Path.home())
    return text.replace(folder, "~") if len(folder) > 1 else text


def _lines(found: dict[str, Any]) -> list[str]:
    home = found["home"]
    rows = [
        ["ConvNeXtSeg", found["engine"]],
        ["Python", found["python"]],
        ["system", found["platform"]],
        ["CPU", f"{found['cpu']['model']}, {found['cpu']['cores']} cores"],
        ["memory", f"{found['memory_gb']} GB" if found["memory_gb"] else "unknown"],
        *(
            [entry["name"], entry["version"] or ("MISSING" if entry["needed"] else "not installed")]
            for entry in found["packages"]
        ),
        *(["device", f"{device['name']} ({device['description']})"] for device in found["devices"]),
        ["on the CPU with", found["backend"]["cpu"]],
        ["your folder", f"{home['path']} ({'writable' if home['writable'] else 'NOT WRITABLE'})"],
        ["free disk", f"{home['free_disk_gb']} GB"],
        *(
            ["model", f"{model['name']} ({model['status']}, {'whole' if model['intact'] else 'DAMAGED'})"]
            for model in found["models"]
        ),
    ]
    return [*table(rows), *(found["problems"] or ["Everything is in order."])]
