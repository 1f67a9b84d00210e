"""Puts the parts of the demonstration together."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from convnextseg_engine.errors import ConvNeXtSegError, InputError

from .case_folder import case_study
from .command import CommandFailed
from .demo_study import DemoStudy
from .loop import CORRECTED_CASES, run_loop
from .own_files import OwnFiles
from .sample_study import sample_study
from .segmenting import segment_study
from .synthetic_study import output_folder_of, synthetic_study

# The loop corrects two synthetic brains and judges on two others.
_LOOP_STUDIES = CORRECTED_CASES + 2


def run(arguments: argparse.Namespace) -> int:
    """Run what the options say; return the exit status of the command line."""
    output = arguments.output
    # The demonstration always shows the model that ships, whatever the user has fine-tuned.
    os.environ["CONVNEXTSEG_HOME"] = str((output / "home").absolute())
    try:
        own = OwnFiles(output)
        studies = _studies(arguments, output)
        segment_study(studies[0], own, arguments.device)
        if arguments.loop:
            run_loop(_with_truth(studies), output, arguments.steps, arguments.device)
    except CommandFailed as failed:
        return failed.status
    except ConvNeXtSegError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("demo: stopped.", file=sys.stderr)
        return 3
    return 0


def _studies(arguments: argparse.Namespace, output: Path) -> list[DemoStudy]:
    if arguments.case:
        return [case_study(folder) for folder in arguments.case]
    if arguments.sample:
        if arguments.loop:
            raise InputError(
                "The sample has no truth to correct it by.", remedy="Use --loop without --sample.", code="no-truth"
            )
        return [sample_study(arguments.sample, output / "downloads")]
    own = OwnFiles(output_folder_of(output))
    count = _LOOP_STUDIES if arguments.loop else 1
    print(f"Making {count} synthetic brain{'s' if count > 1 else ''} with a tumour …", flush=True)
    return [synthetic_study(arguments.seed + number, own) for number in range(count)]


def _with_truth(studies: list[DemoStudy]) -> list[DemoStudy]:
    if len(studies) <= CORRECTED_CASES or any(study.truth is None for study in studies):
        raise InputError(
            "The loop needs at least three cases with a mask.",
            reason="Two are corrected by their mask and learned from; the others judge what was learned.",
            remedy="Give --case three times or more, each a folder with a seg.nii.gz, or leave --case out.",
            code="too-few-cases",
        )
    return studies
