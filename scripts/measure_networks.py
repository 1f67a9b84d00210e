"""Measure what the networks of the registry cost in inference, and write docs/networks.md's table.

    .venv/bin/python scripts/measure_networks.py [NAME …] [--json F] [--write] [--again] [--only memory|seconds|paper]

For each network: parameters, multiply–adds and seconds for its default window, and the peak memory beyond that of
Python and its libraries, with PyTorch and with OpenVINO (where it is installed) in fp32 on this CPU. Each measurement
has a process of its own. The memory of several windows is what the memory plan interpolates.

Figures are kept after each network, in F or with --write where the registry reads them, and what is there is not
measured again, so that an interrupted run goes on, and seconds can be measured at another time than memory, on a quiet
machine; figures of another computer or version are dropped.
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
from convnextseg_engine.networks.cost import activation_bytes, multiply_adds, parameters
from convnextseg_engine.networks.registry import NetworkInfo, named, names
from measure_one_network import INPUTS, OUTPUTS

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "ConvNeXtSeg" / "convnextseg_engine" / "data" / "networks" / "measured.json"
PAGE = ROOT / "docs" / "networks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
COMMAND = "scripts/measure_networks.py --write"
# Of the plans: the default window, half of it, and one between, where the network takes them.
_SMALLER = {3: ((48, 48, 48), (64, 64, 64)), 2: ((1, 64, 64), (1, 128, 128))}
MEMORY, SECONDS = "memory", "seconds"


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    packages = {name: metadata.version(name) for name in ("torch", "openvino") if util.find_spec(name)}
    return {"cpu": findings()["cpu"]} | packages


def windows_of(info: NetworkInfo) -> list[tuple[int, int, int]]:
    """Return the windows of which memory is measured, the default one last."""

    def fits(window: tuple[int, int, int]) -> bool:
        return all(n == 1 or (n % info.divisor == 0 and n >= max(info.smallest, 2 * info.divisor)) for n in window)

    return [window for window in _SMALLER[info.dim] if fits(window)] + [info.patch]


def measured(info: NetworkInfo, backend: str, parts: set[str], seconds: float) -> dict[str, Any]:
    """Return figures of one network with one backend.

    Args:
        info: The network.
        backend: ``"torch"`` or ``"openvino"``.
        parts: With ``"memory"``: ``fixed_bytes`` (the network itself) and ``working``, pairs of voxels and bytes. With
            ``"seconds"``: ``seconds`` (median), ``spread`` and ``runs``.
        seconds: For the timed runs.

    Raises:
        RuntimeError: If its process failed.
    """
    windows = windows_of(info) if MEMORY in parts else [info.patch]
    script = Path(__file__).with_name("measure_one_network.py")
    command = [sys.executable, str(script), info.name, backend, "--seconds", str(seconds if SECONDS in parts else 0)]
    for window in windows:
        command += ["--window", *map(str, window)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{info.name} with {backend}: exit status {process.returncode}, {last}")
    return figures_of(json.loads(process.stdout.splitlines()[-1]), windows, parts)


def figures_of(result: dict[str, Any], windows: list[tuple[int, int, int]], parts: set[str]) -> dict[str, Any]:
    """Return what is kept of what ``measure_one_network.py`` printed; see :func:`measured`."""
    figures: dict[str, Any] = {}
    if SECONDS in parts:
        taken = result["seconds"]
        figures |= {"seconds": round(statistics.median(taken), 2), "runs": len(taken)}
        figures["spread"] = [round(min(taken), 2), round(max(taken), 2)]
    if MEMORY in parts:
        # What converting left in the allocator's heaps grows with the window; the network itself does not.
        figures["fixed_bytes"] = min(result["fixed"])
        figures["working"] = [[math.prod(w), n] for w, n in zip(windows, result["working"], strict=True)]
    return figures


def missing(info: NetworkInfo, known: dict[str, Any], wanted: set[str]) -> set[str]:
    """Return which of the wanted parts a backend's figures lack; memory counts if each window was measured."""
    there = {SECONDS} if "seconds" in known else set()
    if [voxels for voxels, _ in known.get("working", [])] == [math.prod(window) for window in windows_of(info)]:
        there.add(MEMORY)
    return wanted - there


def on_paper(info: NetworkInfo) -> dict[str, Any]:
    """Return what is counted of one network."""
    return {
        "name": info.name,
        "network": info.network,
        "patch": list(info.patch),
        "parameters": parameters(info.network, INPUTS, OUTPUTS),
        "gmac": round(multiply_adds(info.network, INPUTS, OUTPUTS, info.patch) / 1e9, 2),
        "activation_bytes": activation_bytes(info.network, INPUTS, OUTPUTS, info.patch),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| network | parameters | window | GMAC | PyTorch, s | peak, GB | OpenVINO, s | peak, GB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["name"], f"{row['parameters']:,}", " × ".join(map(str, row["patch"])), f"{row['gmac']:.1f}"]
        for backend in ("torch", "openvino"):
            figures = row.get(backend, {})
            cells.append(f"{figures['seconds']:.2f}" if "seconds" in figures else "–")
            peak = figures["fixed_bytes"] + figures["working"][-1][1] if "working" in figures else None
            cells.append("–" if peak is None else f"{peak / 1e9:.2f}")
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
    parser.add_argument("--only", choices=(MEMORY, SECONDS, "paper"), help="leave the rest for another time")
    parser.add_argument("--seconds", type=float, default=10, help="for the timed runs of a network (default 10)")
    options = parser.parse_args()
    chosen = [named(name) for name in options.names or names()]
    files = [file for file in (KEPT if options.write else None, options.json) if file is not None]
    figures = kept(files[0] if files else None)
    backends = ["torch", *(["openvino"] if util.find_spec("openvino") else [])]
    wanted = {MEMORY, SECONDS} if options.only is None else {options.only} & {MEMORY, SECONDS}
    order = {name: place for place, name in enumerate(names())}
    failed = 0
    for info in chosen:
        rows = {row["name"]: row for row in figures["rows"]}
        row = rows[info.name] = rows.get(info.name, {}) | on_paper(info)
        for backend in backends:
            parts = wanted if options.again else missing(info, row.get(backend, {}), wanted)
            if not parts:
                continue
            print(f"{info.name} with {backend}: {' and '.join(sorted(parts))} …", file=sys.stderr, flush=True)
            try:
                row[backend] = row.get(backend, {}) | measured(info, backend, parts, options.seconds)
            except RuntimeError as error:
                print(error, file=sys.stderr)
                failed += 1
        figures["rows"] = sorted(rows.values(), key=lambda row: (order.get(row["name"], len(order)), row["name"]))
        for file in files:
            write_json(file, figures)
    print(table(figures["rows"]))
    if options.write:
        write_text(PAGE, with_table(PAGE.read_text(encoding="utf-8"), figures))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
