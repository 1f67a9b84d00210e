"""Measure inference side by side: ``.venv/bin/python scripts/benchmark.py inference [--json F]``.

Ours against MONAI (its MedNeXt in its default setting, ``sliding_window_inference``) and nnU-Net v2
(``nnUNetPredictor``), all with the same weights, window and overlap, in one run and interleaved, because machines are
noisy. Each side lives in a process of its own whose network is in memory before the clock starts.

- network: the same list of windows through each network
- end_to_end: from the channels' files to the mask's file
- peak_memory: the most that the process and its children had from file to file
- equality: our masks against the same engine with plain PyTorch in fp32, label by label, on ten cases

A ratio is theirs divided by ours, of the same round; the median and the extremes over all rounds are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.inference.equality import CASES, compare_labels, verdicts
from convnextseg_engine.labels.regions import regions_of
from convnextseg_engine.models.folder import ModelFolder

from .inference_tables import print_tables
from .real_cases import RealCase, real_cases, write_part, write_windows
from .sides.process import SideProcess

OTHERS = ("monai", "nnunetv2", "nnunetv2-sequential")
_SHARES = (0.45, 0.6, 0.8, 1.0)  # of each axis, for the cost against volume size
Figures = dict[str, dict[str, list[float]]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--cases", type=int, default=3, help="real cases that the rounds take in turn (default 3)")
    parser.add_argument("--windows", type=int, default=2, help="windows through each network a round (default 2)")
    parser.add_argument(
        "--equality-cases",
        type=int,
        default=CASES,
        help=f"cases on which masks are compared (default {CASES}; 0: none)",
    )
    parser.add_argument("--against", nargs="+", choices=OTHERS, default=list(OTHERS), help="default: all")
    parser.add_argument("--model", type=Path, help="model folder (default: the bundled model)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print tables and return the exit status."""
    folder = options.model or Path(str(resources.files("convnextseg_engine.data"))) / "models" / "demo-brain-tumour"
    model = ModelFolder.open(folder)
    cases = real_cases(max(options.cases, options.equality_cases, 1))
    with tempfile.TemporaryDirectory(prefix="convnextseg-benchmark-") as place:
        result = _measured(model, cases, options, Path(place))
    print_tables(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def _measured(model: ModelFolder, cases: list[RealCase], options: argparse.Namespace, place: Path) -> dict[str, Any]:
    windows = place / "windows.npy"
    write_windows(cases[0], model, options.windows, windows)
    sides = {name: SideProcess(name, model.path) for name in ("ours", *options.against)}
    figures: Figures = {what: {name: [] for name in sides} for what in ("network", "end_to_end", "peak_memory")}
    for side in sides.values():
        side.network(windows)  # what happens only once happens here
    for number in range(options.rounds):
        case = cases[number % options.cases]
        for name, side in sides.items():
            figures["network"][name].append(side.network(windows))
        for name, side in sides.items():
            seconds, peak = side.segment(case.files, place / f"{name}-{case.name}.nii.gz")
            figures["end_to_end"][name].append(seconds)
            figures["peak_memory"][name].append(peak)
            _tell(f"round {number + 1} of {options.rounds}: {name} {seconds:.1f} s, {peak / 1e9:.2f} GB")
    does = {name: side.does for name, side in sides.items()}
    for name in options.against:
        sides[name].close()
    cost = _cost(sides["ours"], cases[0], place)
    equality = _equality(sides["ours"], model, cases[: options.equality_cases], place)
    sides["ours"].close()
    return {
        "rows": [row for name in options.against for row in _rows(name, figures)],
        "equality": equality,
        "dice": _dice(model, cases, list(sides), place),
        "cost": cost,
        "sides": [_side(name, does[name], figures) for name in sides],
        "machine": _machine(),
        "settings": {
            "model": model.spec, "rounds": options.rounds, "cases": [case.name for case in cases[: options.cases]],
            "windows": options.windows, "patch": list(model.metadata.patch),
        },
    }  # fmt: skip


def _rows(name: str, figures: Figures) -> list[dict[str, Any]]:
    rows = []
    for what, by_side in figures.items():
        ratios = [theirs / ours for theirs, ours in zip(by_side[name], by_side["ours"], strict=True)]
        # The same network in the same process: its figure belongs to one of the predictor's two ways only.
        if name == "nnunetv2-sequential" and what == "network":
            continue
        against, _, way = name.partition("-")
        rows.append({
            "against": against, "what": f"{what}_{way}" if way else what, "ratio": statistics.median(ratios),
            "spread": [min(ratios), max(ratios)],
        })  # fmt: skip
    return rows


def _side(name: str, does: str, figures: Figures) -> dict[str, Any]:
    return {
        "name": name,
        "does": does,
        "network_s": statistics.median(figures["network"][name]),
        "end_to_end_s": statistics.median(figures["end_to_end"][name]),
        "peak_bytes": statistics.median(figures["peak_memory"][name]),
    }


def _cost(ours: SideProcess, case: RealCase, place: Path) -> dict[str, Any]:
    """Return seconds against volume size, and the line through them."""
    points = []
    for share in _SHARES:
        folder = place / f"part-{share}"
        folder.mkdir()
        files, voxels = write_part(case, share, folder)
        seconds = min(ours.segment(files, folder / "mask.nii.gz")[0] for _ in range(2))
        points.append({"voxels": voxels, "seconds": seconds})
        _tell(f"{voxels / 1e6:.1f} million voxels: {seconds:.1f} s")
    slope, start = np.polyfit([p["voxels"] / 1e6 for p in points], [p["seconds"] for p in points], 1)
    return {"points": points, "seconds_per_million_voxels": float(slope), "seconds_at_zero": float(start)}


def _equality(ours: SideProcess, model: ModelFolder, cases: list[RealCase], place: Path) -> list[dict[str, Any]]:
    """Return one verdict a label: our masks against plain PyTorch in fp32."""
    if not cases:
        return []
    exact = SideProcess("exact", model.path)
    rows = []
    for case in cases:
        mask = place / f"ours-{case.name}.nii.gz"
        if not mask.is_file():
            ours.segment(case.files, mask)
        yardstick = place / f"exact-{case.name}.nii.gz"
        exact.segment(case.files, yardstick)
        grid = sitk.ReadImage(str(mask))
        voxel_ml = float(np.prod(grid.GetSpacing())) / 1000
        rows += compare_labels(case.name, _array(yardstick), _array(mask), model.contract, voxel_ml)
        _tell(f"equality: {case.name}")
    exact.close()
    return [verdict.to_dict() for verdict in verdicts(rows)]


def _dice(model: ModelFolder, cases: list[RealCase], sides: list[str], place: Path) -> list[dict[str, Any]]:
    """Return the mean Dice of each side to the expert, by region, over the cases that all of them segmented."""
    done = [case for case in cases if all((place / f"{name}-{case.name}.nii.gz").is_file() for name in sides)]
    found = []
    for name in sides:
        scores = []
        for case in done:
            mask, truth = (
                regions_of(_array(file), model.contract) for file in (place / f"{name}-{case.name}.nii.gz", case.truth)
            )
            scores.append([_overlap(one, other) for one, other in zip(mask, truth, strict=True)])
        means = np.mean(scores, axis=0)
        regions = {region.name: round(float(v), 4) for region, v in zip(model.contract.regions, means, strict=True)}
        found.append({"name": name, "cases": len(done), "dice": regions})
    return found


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def _array(file: Path) -> np.ndarray:
    return np.rint(sitk.GetArrayFromImage(sitk.ReadImage(str(file)))).astype(np.uint8)


def _machine() -> dict[str, Any]:
    packages = ("torch", "monai", "nnunetv2", "openvino", "SimpleITK", "numpy")
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    } | {name: metadata.version(name) for name in packages}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
