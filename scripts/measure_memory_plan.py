"""Compare the memory plan's estimate with what segmenting really takes, for the networks of the registry.

    .venv/bin/python scripts/measure_memory_plan.py [NAME …] [--backend torch|openvino] [--window D H W] [--json F]

For each network and backend a model with random weights and the network's default window segments a synthetic study of
one window, in a process of its own. What is compared is the peak of the process beyond Python and its
libraries, as the plan gave it before the run and as the system counted it (Linux only). *run* is the same without what
the process had already when the study was prepared, weights among it: only the plan's own part.

Memory does not depend on how busy the machine is, so this can run beside other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path
from typing import Any

import torch

from convnextseg_engine.durable import write_json
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.networks.memory import memory_of
from convnextseg_engine.networks.registry import build, named, names
from measure_one_plan import SPACING

_CONTRACT = Path(__file__).parent.parent / "ConvNeXtSeg/convnextseg_engine/data/contracts/brain-tumour.json"
_CHANNELS = ("T1", "T1c", "T2", "FLAIR")
_LEAST_SLICES = 3  # of a study for a 2D network
ALLOWED = 0.2


def write_model(folder: Path, name: str, window: tuple[int, int, int] | None = None) -> ModelFolder:
    """Write a model with random weights.

    Args:
        folder: A new folder.
        name: A name of the registry.
        window: D, H, W; None for the network's default.
    """
    info = named(name)
    metadata = Metadata(
        name="random", version="v1", title="A random network", intended_use="For measurements only.",
        network=info.network, channels=_CHANNELS, spacing=(SPACING,) * 3, patch=window or info.patch,
        skull_stripped=True, licence="CC0-1.0", created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
    contract = LabelContract.read(_CONTRACT)
    torch.manual_seed(0)
    network = build(info.network, len(_CHANNELS), contract.network_outputs)
    return ModelFolder.write(folder, metadata, contract, network.state_dict(), "# Random\n")


def compared(model: ModelFolder, backend: str, home: Path) -> dict[str, Any]:
    """Segment in a child process, and return what was expected and what was taken, in bytes.

    Args:
        model: The model.
        backend: ``"torch"`` or ``"openvino"``.
        home: Where OpenVINO's compiled networks are kept.

    Raises:
        RuntimeError: If the process failed.
    """
    depth, height, width = model.metadata.patch
    size = [min(n, 120) for n in (width, height, max(depth, _LEAST_SLICES))]
    command = [sys.executable, str(Path(__file__).with_name("measure_one_plan.py")), str(model.path), backend]
    command += ["--size", *map(str, size)]
    process = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"CONVNEXTSEG_HOME": str(home)}
    )
    if process.returncode:
        last = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"exit status {process.returncode}, {last}")
    figures = json.loads(process.stdout.splitlines()[-1])
    return figures | {
        "ratio": (figures["before"] + figures["estimate"]) / (figures["before"] + figures["measured"]),
        "run_ratio": figures["estimate"] / figures["measured"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the comparison as a Markdown table, and below it how many are within the limit, and the worst."""
    lines = [
        "| network | backend | figures | estimate, MB | measured, MB | ratio | run: estimate | measured | ratio |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        estimate, taken, before = row["estimate"], row["measured"], row["before"]
        cells = [row["name"], row["backend"], row["figures"], f"{(before + estimate) / 1e6:.0f}"]
        cells += [f"{(before + taken) / 1e6:.0f}", f"{row['ratio']:.2f}"]
        cells += [f"{estimate / 1e6:.0f}", f"{taken / 1e6:.0f}", f"{row['run_ratio']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    for what in ("ratio", "run_ratio"):
        within = sum(abs(row[what] - 1) <= ALLOWED for row in rows)
        worst = max(rows, key=lambda row: abs(row[what] - 1))
        lines.append(
            f"\n{what}: {within} of {len(rows)} within {ALLOWED:.0%}; worst {worst[what]:.2f} "
            f"({worst['name']}, {worst['backend']})"
        )
    return "\n".join(lines)


def main() -> int:
    """Compare, print the table and return the exit status: 1 if a network failed or is out of the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks; all by default")
    parser.add_argument("--backend", choices=("torch", "openvino"), help="one only")
    parser.add_argument("--window", type=int, nargs=3, metavar="EXTENT", help="another window than the default")
    parser.add_argument("--json", type=Path, metavar="F", help="keep figures in this file; what is there is not redone")
    options = parser.parse_args()
    window = tuple(options.window) if options.window else None
    there = [name for name in ("torch", "openvino") if util.find_spec(name)]
    backends = [options.backend] if options.backend else there
    rows = json.loads(options.json.read_text(encoding="utf-8")) if options.json and options.json.is_file() else []
    failed = 0
    for name in options.names or names():
        for backend in backends:
            if any(
                row["name"] == name and row["backend"] == backend and row["window"] == options.window for row in rows
            ):
                continue
            print(f"{name} with {backend} …", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as place:
                try:
                    model = write_model(Path(place) / "model", name, window)
                    row = compared(model, backend, Path(place) / "home")
                except RuntimeError as error:
                    print(error, file=sys.stderr)
                    failed += 1
                    continue
            kind = "measured" if memory_of(model.metadata.network, backend).measured else "counted"
            rows.append({"name": name, "backend": backend, "window": options.window, "figures": kind} | row)
            if options.json:
                write_json(options.json, rows)
    if rows:
        print(table(rows))
    return 1 if failed or any(abs(row["ratio"] - 1) > ALLOWED for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
