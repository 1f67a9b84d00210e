"""Make the environment, check the style, and run every test: ``python3 scripts/test.py [pytest options]``.

Whatever this script does not know itself goes to pytest: ``python3 scripts/test.py Testing/engine -x``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import environment
import system_libraries


def main() -> int:
    """Run all checks; return 0 only if every one passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-index", metavar="URL", help="package index for torch alone (e.g. CPU builds)")
    parser.add_argument(
        "--no-system-packages", action="store_true",
        help="never call apt-get, even as root, when libraries that Qt needs are missing",
    )  # fmt: skip
    own, for_pytest = parser.parse_known_args()
    started = time.monotonic()
    try:
        python = str(environment.prepare(tests=True, torch_index=own.torch_index))
    except environment.SetUpProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    lacking = system_libraries.provide(install=not own.no_system_packages)
    if lacking:
        print(lacking, file=sys.stderr)
        return 2
    checks = {
        "ruff check": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "pytest": [python, "-m", "pytest", "--durations=15", *for_pytest],
    }
    # The tests' networks are so small that a second thread costs more than it brings, most of all on a busy machine.
    variables = {"OMP_NUM_THREADS": "1", **os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONUTF8": "1"}
    results = {name: _passes(name, command, variables) for name, command in checks.items()}
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print("; ".join(f"{name}: {'passed' if ok else 'FAILED'}" for name, ok in results.items()), end=". ")
    print(f"Set-up and tests took {minutes} min {seconds} s.")
    return 0 if all(results.values()) else 1


def _passes(name: str, command: list[str], variables: dict[str, str]) -> bool:
    print(f"== {name}", flush=True)
    return subprocess.run(command, cwd=environment.ROOT, env=variables, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
