"""Measure what the networks of the registry cost in inference, and write docs/networks.md's table.

    .venv/bin/python scripts/measure_networks.py [NAME …] [--json F] [--write] [--again] [--on-paper]

For each network: parameters, multiply–adds and seconds for its default window, and the peak memory beyond that of
Python and its libraries, with PyTorch and with OpenVINO (where it is installed) in fp32 on this CPU. Each measurement
has a process of its own. The memory of two windows gives the coefficients (fixed bytes, bytes a voxel) of the memory
plan.

Figures are kept after each network, in F or with --write where the registry reads them, and networks that are there are
not measured again, so that an interrupted run goes on; figures of another computer or version are dropped.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from importlib import metadata, util
from pathlib import Path
from typing import Any

from convnextseg_engine.cli.doctor import findings
from convnextseg_engine.durable import write_json, write_text
from convnextseg_engine.networks.cost import multiply_adds, parameters
from convnextseg_engine.networks.registry import NetworkInfo, named, names
from measure_one_network import INPUTS, OUTPUTS

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "ConvNeXtSeg" / "convnextseg_engine" / "data" / "networks" / "measured.json"
PAGE = ROOT / "docs" / "networks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COMMAND = "scripts/measure_networks.py --write"
# A second, smaller window gives the slope of the memory.
_OTHER_WINDOW = {3: (64, 64, 64), 2: (1, 128, 128)}


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    packages = {name: metadata.version(name) for name in ("torch", "openvino") if util.find_spec(name)}
    return {"cpu": findings()["cpu"]} | packages


def measured(info: NetworkInfo, backend: str, seconds: float) -> dict[str, Any]:
    """Return ``seconds``, ``spread``, ``runs``, ``peak_bytes`` and the coefficients of one network with one backend.

    Raises:
        RuntimeError: If its process failed.
    """
    windows = (_OTHER_WINDOW[info.dim], info.patch)
    script = Path(__file__).with_name("measure_one_network.py")
    command = [sys.executable, str(script), info.name, backend, "--seconds", str(seconds)]
    for window in windows:
        command += ["--window", *map(str, window)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{info.name} with {backend}: exit status {process.returncode}, {last}")
    result = json.loads(process.stdout.splitlines()[-1])
    taken, peaks = result["seconds"], result["peaks"]
    sizes = [math.prod(window) for window in windows]
    slope = max(0.0, (peaks[1] - peaks[0]) / (sizes[1] - sizes[0]))
    return {
        "seconds": round(statistics.median(taken), 2), "spread": [round(min(taken), 2), round(max(taken), 2)],
        "runs": len(taken), "peak_bytes": peaks[1],
        "fixed_bytes": max(0, round(peaks[1] - slope * sizes[1])), "per_voxel": round(slope, 1),
    }  # fmt: skip


def row_of(info: NetworkInfo, backends: list[str], seconds: float) -> dict[str, Any]:
    """Return everything about one network."""
    return {
        "name": info.name,
        "network": info.network,
        "patch": list(info.patch),
        "parameters": parameters(info.network, INPUTS, OUTPUTS),
        "gmac": round(multiply_adds(info.network, INPUTS, OUTPUTS, info.patch) / 1e9, 2),
    } | {backend: measured(info, backend, seconds) for backend in backends}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| network | parameters | window | GMAC | PyTorch, s | peak, GB | OpenVINO, s | peak, GB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["name"], f"{row['parameters']:,}", " × ".join(map(str, row["patch"])), f"{row['gmac']:.1f}"]
        for backend in ("torch", "openvino"):
            figures = row.get(backend)
            cells += [f"{figures['seconds']:.2f}", f"{figures['peak_bytes'] / 1e9:.2f}"] if figures else ["–", "–"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(page: str, figures: dict[str, Any]) -> str:
    """Return the page with the table, and what it was measured on, between its markers.

    Raises:
        ValueError: If the markers are missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for the table: {BEGIN} … {END}")
    computer = figures["machine"]
    openvino = f", OpenVINO {computer['openvino']}" if "openvino" in computer else ""
    told = (
        f"`{COMMAND}` on {computer['cpu']['model']}, {computer['cpu']['cores']} cores, PyTorch {computer['torch']}"
        f"{openvino}; {INPUTS} channels in, {OUTPUTS} outputs, fp32, one window, median of up to five runs."
    )
    return f"{before}{begin}\n{told}\n\n{table(figures['rows'])}\n{end}{after}"


def kept(file: Path | None) -> dict[str, Any]:
    """Return earlier figures if they are of this computer and these versions, otherwise none."""
    nothing = {"command": COMMAND, "machine": machine(), "rows": []}
    if file is None or not file.is_file():
        return nothing
    found = json.loads(file.read_text(encoding="utf-8"))
    return found if found["machine"] == nothing["machine"] else nothing


def main() -> int:
    """Measure, print the table and return the exit status: 1 if a network could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all by default")
    parser.add_argument("--json", type=Path, metavar="F", help="keep figures in this file")
    parser.add_argument("--write", action="store_true", help="keep figures in the package, and the table in docs/")
    parser.add_argument("--again", action="store_true", help="measure also what has figures")
    parser.add_argument("--on-paper", action="store_true", help="only count parameters and multiply–adds")
    parser.add_argument("--seconds", type=float, default=10, help="for the timed runs of a network (default 10)")
    options = parser.parse_args()
    chosen = [named(name) for name in options.names or names()]
    files = [file for file in (KEPT if options.write else None, options.json) if file is not None]
    figures = kept(files[0] if files else None)
    backends = [] if options.on_paper else ["torch", *(["openvino"] if util.find_spec("openvino") else [])]
    order = {name: place for place, name in enumerate(names())}
    failed = 0
    for info in chosen:
        rows = {row["name"]: row for row in figures["rows"]}
        known = rows.get(info.name, {})
        if not known or options.again or any(backend not in known for backend in backends):
            print(f"{info.name} …", file=sys.stderr, flush=True)
            try:
                rows[info.name] = row_of(info, backends, options.seconds)
            except RuntimeError as error:
                print(error, file=sys.stderr)
                failed += 1
                continue
        figures["rows"] = sorted(rows.values(), key=lambda row: (order.get(row["name"], len(order)), row["name"]))
        for file in files:
            write_json(file, figures)
    print(table(figures["rows"]))
    if options.write:
        write_text(PAGE, with_table(PAGE.read_text(encoding="utf-8"), figures))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
