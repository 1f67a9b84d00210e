"""The images of ``--study FOLDER``, recognised, and what the user says about them with ``--image``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError, sentence
from .named_files import given_path, named_files


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--image`` and ``--study``."""
    parser.add_argument(
        "--image", action="append", default=[], metavar="C=F",
        help="a channel and its file, or a folder with one DICOM series; once for each channel you have",
    )  # fmt: skip
    parser.add_argument(
        "--study", metavar="FOLDER",
        help="a folder with the study's files or DICOM series; which is which is recognised, and asked where it is not "
        "clear. --image C=F decides for a channel, --image C= leaves one out",
    )  # fmt: skip


def given_files(arguments: argparse.Namespace) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return the files that ``--image`` names and the channels that it leaves out.

    Raises:
        InputError: If neither ``--image`` nor ``--study`` is given, or a value cannot be used.
    """
    if not arguments.image and arguments.study is None:
        raise InputError(
            "No image is given.", remedy="Give --image CHANNEL=FILE for each image, or --study FOLDER.",
            code="bad-arguments",
        )  # fmt: skip
    left_out = []
    named = list(arguments.image)
    if arguments.study is not None:
        left_out = [value[:-1].strip() for value in named if value.endswith("=") and value.count("=") == 1]
        named = [value for value in named if not (value.endswith("=") and value.count("=") == 1)]
    return named_files("--image", named), tuple(left_out)


def study_files(
    study: str, channels: Sequence[str], given: dict[str, Path], left_out: Sequence[str]
) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the files of a study's channels in the model's order, and why each was chosen.

    Raises:
        InputError: If the folder has no images, none that a channel takes, or it is not clear which is which.
    """
    from ..images.sequences.assign import assign
    from ..images.sequences.study_folder import find_images

    candidates = find_images([given_path("--study", study)])
    places = {Path(key).resolve(): key for key in candidates}
    answers = {name: places.get(path.resolve(), str(path)) for name, path in given.items()}
    assignment = assign(candidates, channels, answers | dict.fromkeys(left_out, ""))
    chosen = assignment.settled()
    if not chosen:
        listed = "; ".join(f"{candidates[key].name}: {known.reason}" for key, known in assignment.recognised.items())
        raise InputError(
            f"No image in {study} is one that the model takes.",
            reason=f"It takes {', '.join(channels)}. {listed}",
            remedy="Say which image is which with --image CHANNEL=FILE.",
            code="no-known-channel",
        )
    ordered = {channel: chosen[channel] for channel in channels if channel in chosen}
    return {channel: Path(key) for channel, key in ordered.items()}, {c: assignment.reasons[c] for c in ordered}


def leaving_out(remedy: str, channel: str) -> str:
    """Return the remedy for a file of ``--study`` that cannot be read, with the way to go on without it."""
    return " ".join([sentence(remedy)] * bool(remedy) + [f"Or segment without it: --image {channel}= leaves it out."])
