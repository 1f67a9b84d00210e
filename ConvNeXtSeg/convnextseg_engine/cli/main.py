"""The command ``convnextseg``.

Exit status: 0 done; 1 a bug of ours; 2 bad input; 3 cancelled; 4 memory or device. A traceback is never printed: it
goes to a file that the message names. Nothing here imports torch, so that help and typing errors come at once.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from .. import __version__
from ..errors import ConvNeXtSegError, InputError, RunCancelled, describe
from . import batch, cases, doctor, evaluate, finetune, models, networks, prepare, recognise, segment, train
from .crash_log import write_crash_log
from .output import Output

_COMMANDS = (segment, batch, recognise, prepare, cases, train, finetune, evaluate, models, networks, doctor)


class _Parser(argparse.ArgumentParser):
    """argparse, with errors that leave through the same door as all others."""

    def __init__(self, *args: Any, **options: Any):
        # Abbreviated options would change their meaning when a new option is added.
        super().__init__(*args, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        raise InputError(
            f"{message[:1].upper()}{message[1:]}.", remedy=f"See “{self.prog} --help”.", code="bad-arguments"
        )


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print progress and results as JSON, one value a line")
    whole = _Parser(
        prog="convnextseg", description="Tumour segmentation: segment, correct, fine-tune. Not for clinical use."
    )
    whole.add_argument("--version", action="version", version=f"convnextseg {__version__}")
    subparsers = whole.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for command in _COMMANDS:
        command.add_parser(subparsers, common)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Args:
        argv: Arguments without the program's name; those of this process by default.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    output = Output(as_json="--json" in argv)  # read before parsing, because parsing itself may fail
    try:
        arguments = parser().parse_args(argv)
        # What a library prints must not mix with the result.
        with contextlib.redirect_stdout(sys.stderr):
            arguments.run(arguments, output)
        output.close()
    except SystemExit as finished:  # --help and --version
        return int(finished.code or 0)
    except BrokenPipeError:
        output.abandon()  # the reader, such as “head”, has seen enough
    except KeyboardInterrupt:
        return _failed(output, RunCancelled())
    except Exception as error:
        return _failed(output, _explained(error, argv))
    return 0


def _explained(error: Exception, argv: list[str]) -> ConvNeXtSegError:
    told = describe(error)
    if told is error or told.exit_status != 1:
        return told
    log = write_crash_log(error, argv)
    place = f"The technical details are in {log}." if log else "The technical details could not be written to a file."
    told.remedy = f"Please report it. {place}"
    return told


def _failed(output: Output, error: ConvNeXtSegError) -> int:
    with contextlib.suppress(BrokenPipeError):
        output.error(error)
    return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
