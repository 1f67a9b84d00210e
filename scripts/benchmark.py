"""Measure ours beside others, interleaved: ``python scripts/benchmark.py training|inference|depthwise [--json F]``."""

from __future__ import annotations

import argparse
import sys

from benchmarking import depthwise, inference, training

# A subcommand is a module with add_arguments(parser) and run(options) -> exit status.
_SUBJECTS = {"depthwise": depthwise, "inference": inference, "training": training}


def main() -> int:
    """Run the chosen measurement and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="subject", required=True)
    for name, module in _SUBJECTS.items():
        module.add_arguments(
            commands.add_parser(name, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        )
    options = parser.parse_args()
    return _SUBJECTS[options.subject].run(options)


if __name__ == "__main__":
    sys.exit(main())
