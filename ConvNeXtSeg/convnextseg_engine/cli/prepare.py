"""``convnextseg prepare``: aligned channels and a brain mask on their own, for other programs or to look at."""

from __future__ import annotations

import argparse
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .channel_names import as_known, names_told, reference_of
from .named_files import given_path, named_files
from .output import Output
from .preparation_options import add_preparation_options, chosen_preparation

if TYPE_CHECKING:
    from ..preparing.workflow import PreparedStudy

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "prepare",
        parents=[common],
        help="align the channels of a study and remove what is not brain",
        description="Align the channels of a study, remove what is not brain, and say what is unusual. The given files "
        "stay as they are. “segment” takes the same options and does it on its own.",
    )
    parser.add_argument(
        "--image", required=True, action="append", metavar="C=F",
        help="a channel and its file, or a folder with one DICOM series; once for each channel you have",
    )  # fmt: skip
    parser.add_argument("--reference", metavar="C", help="channel that stays where it is (default: the first given)")
    parser.add_argument("--model", metavar="M", help="also compare the study with what this model expects")
    parser.add_argument(
        "--output", required=True, metavar="FOLDER",
        help="new folder for the prepared channels (.nrrd, each with its own voxels), the transforms (.tfm, from the "
        "reference to the channel as it was), the brain mask and report.json",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", metavar="D", help="where a brain model runs (default: auto)")
    add_preparation_options(parser, register="rigid")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Prepare, write, tell."""
    files = named_files("--image", arguments.image)
    folder = _checked_folder(arguments.output)
    for name in files:
        if not _PLAIN.fullmatch(name):
            raise InputError(
                f"The channel “{name}” cannot name a file.",
                remedy="Use letters, digits, “-”, “_” and “+”.", code="bad-channel-name",
            )  # fmt: skip

    from ..images.colour import component_of
    from ..images.files import read_image
    from ..images.study import Study
    from ..models.store import ModelStore
    from ..preparing.workflow import prepare_study

    metadata, known, renamed = None, (), {}
    if arguments.model is not None:
        model = ModelStore().open(arguments.model)
        renamed = as_known(files, model.metadata.channels, f"the model {model.spec}")
        files = {renamed.get(name, name): path for name, path in files.items()}
        metadata, known = model.metadata, model.metadata.channels
    reference, renamed = reference_of(arguments.reference, files, known, renamed)
    options = chosen_preparation(arguments, arguments.device)
    reporter = output.reporter()
    reporter.progress("read", 0.0, "images")
    study = Study({name: read_image(path, component_of(name)) for name, path in files.items()}, reference)
    prepared = prepare_study(study, metadata, options, reporter.part(0.1, 0.9))
    reporter.progress("write", 0.9, "results")
    written = _write(prepared, folder, renamed)
    reporter.progress("write", 1.0, "done")
    output.result(
        prepared.to_dict() | {"renamed": renamed, "files": written},
        [*names_told(renamed), *lines(prepared), f"output: {folder}"],
    )


def lines(prepared: PreparedStudy) -> list[str]:
    """Return the steps and findings for people, one a line."""
    steps = [f"{step.name} ({step.state}, {step.seconds:.1f} s): {step.sentence}" for step in prepared.steps]
    return [*steps, *(f"Note: {warning}" for warning in prepared.warnings)]


def _checked_folder(text: str) -> Path:
    folder = given_path("--output", text)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"--output {text} exists already.", reason="Nothing that exists is written over.",
            remedy="Give the name of a new or empty folder.", code="exists",
        )  # fmt: skip
    return folder


def _write(prepared: PreparedStudy, folder: Path, renamed: dict[str, str]) -> list[dict[str, str]]:
    """Write everything into a temporary folder beside ``folder``, which then takes its name."""
    import SimpleITK as sitk

    from ..durable import place_folder, write_json
    from ..images.files import write_image

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{secrets.token_hex(6)}-{folder.name}")
    temporary.mkdir()
    try:
        for name, image in prepared.study.channels.items():
            write_image(image, temporary / f"{name}.nrrd")
        for name, transform in prepared.transforms.items():
            sitk.WriteTransform(transform.to_itk(), str(temporary / f"{name}.tfm"))
        if prepared.brain_mask is not None:
            write_image(prepared.brain_mask, temporary / "brain-mask.nrrd")
        told = {"reference": prepared.study.reference, "renamed": renamed} | prepared.to_dict()
        write_json(temporary / "report.json", told)
        if folder.is_dir():
            folder.rmdir()  # it is empty; if it no longer is, this is refused
        place_folder(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return [{"name": path.stem, "path": str(path)} for path in sorted(folder.iterdir())]
