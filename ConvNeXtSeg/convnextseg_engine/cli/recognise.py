"""``convnextseg recognise``: which sequence each image of a study is, and which channel of a model it serves."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import InputError
from ..images.sequences.assign import Assignment, assign, kind_text
from ..images.sequences.description import Description
from .named_files import given_path
from .output import Output, table


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "recognise", parents=[common], help="say which sequence each image of a study is",
        description="Say which sequence each image is (T1, T1c, T2, FLAIR, CT, …) by its DICOM header and its names, "
        "and why. Nothing is changed.",
    )  # fmt: skip
    parser.add_argument("paths", nargs="*", metavar="PATH", help="folders of a study, or image files")
    parser.add_argument(
        "--name", action="append", default=[], metavar="TEXT", help="a name to recognise without a file; repeatable"
    )
    parser.add_argument("--model", metavar="M", help="also say which image serves which of this model's channels")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Look, recognise, tell."""
    if not arguments.paths and not arguments.name:
        raise InputError(
            "There is nothing to recognise.", remedy="Give a folder, files, or --name TEXT.", code="bad-arguments"
        )
    candidates: dict[str, Description] = {}
    if arguments.paths:
        from ..images.sequences.study_folder import find_images

        candidates |= find_images(given_path("PATH", path) for path in arguments.paths)
    candidates |= {name: Description(name) for name in arguments.name}
    channels: tuple[str, ...] = ()
    if arguments.model:
        from ..models.store import ModelStore

        channels = ModelStore().open(arguments.model).metadata.channels
    assignment = assign(candidates, channels)
    value: dict[str, Any] = {"images": _images(candidates, assignment)}
    if channels:
        value["assignment"] = _channels(assignment, channels)
    output.result(value, _lines(value))


def _images(candidates: dict[str, Description], assignment: Assignment) -> list[dict[str, Any]]:
    return [
        {
            "path": key,
            "name": candidates[key].name,
            "kind": known.kind,
            "no_channel": known.no_channel,
            "options": list(known.options),
            "is": kind_text(known),
            "reason": known.reason,
        }
        for key, known in assignment.recognised.items()
    ]


def _channels(assignment: Assignment, channels: tuple[str, ...]) -> list[dict[str, Any]]:
    questions = {question.channel: question for question in assignment.questions}
    return [
        {
            "channel": channel,
            "path": assignment.chosen.get(channel),
            "candidates": list(questions[channel].candidates) if channel in questions else [],
            "reason": questions[channel].reason
            if channel in questions
            else assignment.reasons.get(channel, "No image shows it."),
        }
        for channel in channels
    ]


def _lines(value: dict[str, Any]) -> list[str]:
    lines = table([[_mark(image), image["name"] or image["path"], image["reason"]] for image in value["images"]])
    if "assignment" in value:
        rows = [[f"{entry['channel']}:", _place(entry), entry["reason"]] for entry in value["assignment"]]
        lines += ["", *table(rows)]
    return lines


def _mark(image: dict[str, Any]) -> str:
    return image["kind"] or ("–" if image["no_channel"] else "?")


def _place(entry: dict[str, Any]) -> str:
    return entry["path"] or ("to be chosen" if entry["candidates"] else "not there")
