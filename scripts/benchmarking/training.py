"""Measure training steps side by side.

Ours against MONAI's MedNeXt-S as a user would write it, in its default memory format and in channels-last. A step is
forward, Dice + cross-entropy, backward and AdamW, of one patch in fp32. Each competitor has a process of its own; their
steps are interleaved, because machines are noisy. Ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from benchmarking.training_variants import ON_CPU, ON_GPU, Variant

_SCRIPTS = Path(__file__).resolve().parents[1]
_CONFIGURATIONS = ((64, 3), (64, 5), (96, 3), (96, 5))
# In double precision by plain autograd, this patch takes seconds and 64³ minutes.
_GRADIENT_PATCH = 32


class Competitor:
    """A variant in a process of its own.

    Args:
        variant: What it runs.
        patch: Extent of the cubic patch in voxels.
        kernel: Extent of the depthwise kernels.
        device: ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, variant: Variant, patch: int, kernel: int, device: str):
        self.variant, self.seconds, self.peak_bytes = variant, [], None
        options = {"variant": asdict(variant), "patch": patch, "kernel": kernel, "device": device}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarking.training_step", json.dumps(options)],
            cwd=_SCRIPTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started = self._answer()
        self.before_bytes, self.threads = started["before_bytes"], started["threads"]

    def step(self, *, counted: bool) -> None:
        """Do one step; its time is kept if ``counted``."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.peak_bytes = answer["peak_bytes"]
        if counted:
            self.seconds.append(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"“{self.variant.name}” ended with status {self._process.wait()}; is there enough memory?")
        return json.loads(line)


@contextlib.contextmanager
def _competitors(variants: tuple[Variant, ...], patch: int, kernel: int, device: str) -> Iterator[list[Competitor]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(contextlib.closing(Competitor(variant, patch, kernel, device))) for variant in variants
        ]


def measure(variants: tuple[Variant, ...], patch: int, kernel: int, rounds: int, device: str) -> list[dict]:
    """Return a row per variant, after one round to warm up; ratios are to the first variant.

    Returns:
        Rows with ``variant``, ``patch``, ``kernel``, ``rounds``, ``threads``, ``median_s``, ``min_s``, ``max_s``,
        ``ratio``, ``ratio_min``, ``ratio_max`` (its seconds / ours, round by round), ``peak_bytes`` of the process (or
        of the graphics processor) and ``step_bytes``, what the steps added to what network and libraries took.
    """
    with _competitors(variants, patch, kernel, device) as competitors:
        for number in range(rounds + 1):
            for competitor in competitors:
                competitor.step(counted=number > 0)
            print(f"{patch}³, kernel {kernel}: round {number} of {rounds}", file=sys.stderr, flush=True)
        return [_row(each, competitors[0], patch, kernel, rounds) for each in competitors]


def _row(each: Competitor, ours: Competitor, patch: int, kernel: int, rounds: int) -> dict:
    ratios = [theirs / mine for theirs, mine in zip(each.seconds, ours.seconds, strict=True)]
    row = {
        "variant": each.variant.name, "patch": patch, "kernel": kernel, "rounds": rounds, "threads": each.threads,
        "peak_bytes": each.peak_bytes,
        "step_bytes": None if each.peak_bytes is None else each.peak_bytes - each.before_bytes,
    }  # fmt: skip
    if rounds:
        row |= {
            "median_s": statistics.median(each.seconds), "min_s": min(each.seconds), "max_s": max(each.seconds),
            "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios),
        }  # fmt: skip
    return row


def gradient_rows(kernels: list[int]) -> list[dict]:
    """Return the gradient errors of stock and of ours for each kernel, measured in processes of their own."""
    rows = []
    for kernel in kernels:
        command = [sys.executable, "-m", "benchmarking.gradient_error", str(_GRADIENT_PATCH), str(kernel)]
        rows += json.loads(subprocess.run(command, cwd=_SCRIPTS, check=True, capture_output=True, text=True).stdout)
    return rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommand's options."""
    parser.add_argument("--patch", type=int, default=64, help="extent of the cubic patch in voxels (default 64)")
    parser.add_argument("--kernel", type=int, default=3, choices=(3, 5))
    parser.add_argument("--all", action="store_true", help="64³ and 96³ with kernels 3 and 5: about an hour on 2 cores")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="one step each, for its memory only")
    parser.add_argument("--gpu", action="store_true", help="on the graphics processor (CUDA), with its own variants")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")


def run(options: argparse.Namespace) -> int:
    """Measure, print tables and return the exit status."""
    if options.gpu and not _has_cuda():
        print("PyTorch sees no CUDA device here.", file=sys.stderr)
        return 1
    variants, device = (ON_GPU, "cuda") if options.gpu else (ON_CPU, "cpu")
    configurations = _CONFIGURATIONS if options.all else ((options.patch, options.kernel),)
    rounds = 0 if options.memory else options.rounds
    result = {"machine": _machine(), "device": device, "rows": [], "gradient_errors": []}
    for patch, kernel in configurations:
        rows = measure(variants, patch, kernel, rounds, device)
        result["rows"] += rows
        _print_rows(rows)
        _write(result, options.json)
    if not (options.memory or options.gpu):
        result["gradient_errors"] = gradient_rows(sorted({kernel for _, kernel in configurations}))
        _print_errors(result["gradient_errors"])
        _write(result, options.json)
    return 0


def _print_rows(rows: list[dict]) -> None:
    first = rows[0]
    print(f"\nMedNeXt-S, {first['patch']}³, kernel {first['kernel']}, batch 1, {first['threads']} threads\n")
    print("| network | median s | from | to | slower than ours by | from | to | step memory MB | of the first |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        figures = [row.get(name) for name in ("median_s", "min_s", "max_s", "ratio", "ratio_min", "ratio_max")]
        memory = ["–", "–"]
        if row["step_bytes"] is not None and first["step_bytes"]:
            memory = [f"{row['step_bytes'] / 1e6:.0f}", f"{row['step_bytes'] / first['step_bytes']:.2f}"]
        print("|", " | ".join([row["variant"], *("–" if f is None else f"{f:.2f}" for f in figures), *memory]), "|")


def _print_errors(rows: list[dict]) -> None:
    print(f"\nRelative L2 error of each tensor's gradient against float64, {_GRADIENT_PATCH}³\n")
    print("| path | kernel | median | largest |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['variant']} | {row['kernel']} | {row['median']:.1e} | {row['largest']:.1e} |")


def _write(result: dict, path: Path | None) -> None:
    if path:
        path.write_text(json.dumps(result, indent=2), encoding="utf-8")


def _machine() -> dict:
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {
        "processor": model, "cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version(),
        "torch": version("torch"), "monai": version("monai"),
    }  # fmt: skip


def _has_cuda() -> bool:
    command = [sys.executable, "-c", "import sys, torch; sys.exit(not torch.cuda.is_available())"]
    return subprocess.run(command).returncode == 0
