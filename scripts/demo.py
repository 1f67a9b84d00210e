"""Make the environment and segment a study with the model that ships: ``python3 scripts/demo.py``.

Without options, a synthetic brain with a tumour is segmented and compared with its known truth. Not for clinical use.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import environment

# Far from the seeds of training (0 upwards); these four brains have all three labels.
DEFAULT_SEED = 2029
DEFAULT_STEPS = 40


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog=__doc__.splitlines()[2])
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--case", type=Path, action="append", metavar="FOLDER",
        help="a study of your own: t1, t1ce, t2 and flair (.nii.gz, .nrrd, or DICOM folders), whichever there are, and "
        "seg if there is one; with --loop give the option three times or more",
    )  # fmt: skip
    what.add_argument("--sample", choices=["MRBrainTumor1"], help="fetch Slicer's sample (needs network)")
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, help=f"of the synthetic brain (default {DEFAULT_SEED})"
    )
    parser.add_argument(
        "--loop", action="store_true",
        help="go on: correct two cases, fine-tune, compare on other cases, promote and roll back",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=int, default=DEFAULT_STEPS, help=f"training steps of --loop (default {DEFAULT_STEPS})"
    )
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda:N or mps (default: cpu)")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER", help="default: demo-output"
    )
    parser.add_argument("--torch-index", metavar="URL", help="package index for torch alone (e.g. CPU builds)")
    return parser.parse_args()


def main() -> int:
    """Set up, then run in the environment."""
    arguments = parsed()
    try:
        python = environment.prepare(torch_index=arguments.torch_index)
    except environment.SetUpProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    if Path(sys.prefix).resolve() != environment.VENV.resolve():
        variables = {**os.environ, "PYTHONUTF8": "1"}
        try:
            return subprocess.run([str(python), __file__, *sys.argv[1:]], env=variables, check=False).returncode
        except KeyboardInterrupt:
            return 3  # the demonstration got the same signal and has said so
    from demonstration.run import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
