"""``convnextseg segment``: one study to one mask."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..inference.backend_names import BACKENDS, checked_backend_name
from ..inference.device import checked_device_name
from .channel_names import as_known, names_told, reference_of
from .destinations import check_distinct, checked_destination
from .inference_options import add_inference_options, chosen_options
from .output import Output, table
from .preparation_options import add_preparation_options, brain_mask_path, chosen_preparation
from .segment_results import (
    KINDS,
    SEG_NRRD,
    check_disagreement,
    check_kind,
    needs_probabilities,
    needs_uncertainty,
    write_results,
)
from .study_images import add_options, given_files, leaving_out, study_files

if TYPE_CHECKING:
    from ..images.study import Study

_VOLUMES = (".nii.gz", ".nii", ".nrrd")
_ENDINGS = {
    "--output": (SEG_NRRD, *_VOLUMES),
    "--probabilities": _VOLUMES,
    "--uncertainty": _VOLUMES,
    "--disagreement": _VOLUMES,
    "--preview": (".png",),
    "--report": (".json",),
}
_FIRST_SLICES = 5


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "segment",
        parents=[common],
        help="segment a study",
        description="Segment a study. The result lies on the grid of the reference channel. Not for clinical use.",
    )
    parser.add_argument("--model", required=True, metavar="M", help="name, name@vN, or the path of a model folder")
    add_options(parser)
    parser.add_argument(
        "--reference", metavar="C",
        help="channel on whose grid the result lies (default: the first given; with --study the model's first)",
    )  # fmt: skip
    parser.add_argument(
        "--output", required=True, metavar="F",
        help=".seg.nrrd (segments with names, colours and terminology), or .nii.gz, .nii, .nrrd (integers)",
    )  # fmt: skip
    parser.add_argument(
        "--output-kind", choices=KINDS, default="labels",
        help="what --output holds: labels (default), regions (one value 0 or 1 for each region) or probabilities; the "
        "last two need .nii.gz, .nii or .nrrd",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--backend", default="auto", metavar="B", help=f"{', '.join(BACKENDS)} (default: auto)")
    parser.add_argument(
        "--probabilities", metavar="F",
        help="also write probabilities: one image whose voxels have one value for each of the model's regions, in the "
        "order in which “models show” lists them, the largest first (.nii.gz, .nii or .nrrd); calibrated if the model "
        "brings temperatures",
    )  # fmt: skip
    parser.add_argument(
        "--uncertainty", metavar="F",
        help="also measure how sure the result is: write the entropy of each voxel, 0 (sure) to 1, to this file "
        "(.nii.gz, .nii or .nrrd), and say which slices to look at first; the mask is the same",
    )  # fmt: skip
    parser.add_argument(
        "--disagreement", metavar="F",
        help="also write by how much overlapping windows, mirrored views and the members of an ensemble disagree about "
        "each voxel: the largest standard deviation of a region's probability, 0 to 0.5",
    )  # fmt: skip
    parser.add_argument(
        "--preview", metavar="F.png", help="also write a picture: three slices with the mask drawn on them"
    )
    parser.add_argument("--report", metavar="F.json", help="also write what ran, how long it took and the volumes")
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_inference_options(parser)
    add_preparation_options(parser, register="check")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Segment, write, tell."""
    destinations = _destinations(arguments)
    check_kind(arguments.output_kind, destinations)
    options = chosen_options(
        arguments,
        keep_probabilities=needs_probabilities(arguments.output_kind, destinations),
        uncertainty=needs_uncertainty(destinations),
    )
    files, left_out = given_files(arguments)
    mask = brain_mask_path(arguments)
    masks = [] if mask is None else [mask]
    if arguments.study is None:
        check_distinct(destinations, [*files.values(), *masks])
    checked_device_name(arguments.device)
    checked_backend_name(arguments.backend, arguments.device)

    from ..inference.options import settings_for
    from ..models.store import ModelStore

    model = ModelStore().open(arguments.model)
    # A wish that cannot be had is refused before any work.
    check_disagreement(settings_for(options, model.metadata), destinations)
    renamed = as_known((*files, *left_out), model.metadata.channels, f"the model {model.spec}")
    files = {renamed.get(name, name): path for name, path in files.items()}
    left_out = tuple(renamed.get(name, name) for name in left_out)
    recognised: dict[str, str] = {}
    if arguments.study is not None:
        files, recognised = study_files(arguments.study, model.metadata.channels, files, left_out)
        check_distinct(destinations, [*files.values(), *masks])
    reference, renamed = reference_of(arguments.reference, files, model.metadata.channels, renamed)
    reporter = output.reporter()
    reporter.progress("read", 0.0, "images")
    started = time.perf_counter()
    study = _read(files, reference, recognised)
    preparation = chosen_preparation(arguments, arguments.device)
    seconds = {"read": time.perf_counter() - started}
    started = time.perf_counter()
    from ..preparing.workflow import prepare_study

    prepared = prepare_study(study, model.metadata, preparation, reporter.part(0.02, 0.15))
    seconds["preparation"] = time.perf_counter() - started

    # Everything that can be wrong with the input has been said; only now the seconds of importing torch.
    reporter.progress("load", 0.15, f"model {model.spec}")
    started = time.perf_counter()
    from ..inference.loaded import load
    from ..inference.segment import segment

    loaded = load(model, arguments.device, arguments.backend)
    seconds["load"] = time.perf_counter() - started
    result = segment(prepared.study, loaded, reporter.part(0.18, 0.97), options=options)
    reporter.progress("write", 0.97, "results")
    report = write_results(
        result, study, destinations, arguments.output_kind, seconds, arguments.overwrite, prepared, renamed
    )
    reporter.progress("write", 1.0, "done")
    chosen = [{"channel": name, "path": str(files[name]), "reason": reason} for name, reason in recognised.items()]
    found = [f"{c['channel']}: {c['path']} – {c['reason']}" for c in chosen]
    lines = [*found, *names_told(renamed), *_lines(report, destinations)]
    output.result(report | {"files": _named(destinations), "recognised": chosen}, lines)


def _destinations(arguments: argparse.Namespace) -> dict[str, Path]:
    given = {option: getattr(arguments, option[2:]) for option in _ENDINGS}
    return {
        option: checked_destination(option, file, _ENDINGS[option], overwrite=arguments.overwrite)
        for option, file in given.items()
        if file is not None
    }


def _read(files: dict[str, Path], reference: str, recognised: Mapping[str, str]) -> Study:
    from ..images.colour import component_of
    from ..images.files import read_image
    from ..images.study import Study

    channels = {}
    for name, path in files.items():
        try:
            channels[name] = read_image(path, component_of(name))
        except InputError as error:
            if (
                name in recognised and len(files) > 1
            ):  # found in the study's folder: one bad file need not stop the rest
                error.remedy = leaving_out(error.remedy, name)
            raise
    return Study(channels, reference)


def _named(destinations: dict[str, Path]) -> list[dict[str, str]]:
    return [{"name": option[2:], "path": str(path)} for option, path in destinations.items()]


def _lines(report: dict[str, Any], destinations: dict[str, Path]) -> list[str]:
    model = report["model"]
    rows = [[entry["name"], f"{entry['volume_ml']:.2f} mL"] for entry in (*report["labels"], *report["regions"])]
    return [
        f"{model['title']} ({model['name']}@{model['version']}): {model['intended_use']}",
        *table(rows),
        *_doubts(report.get("uncertainty")),
        f"{report['seconds']['total']:.1f} s: {report['plan']}.",
        *(f"Note: {warning}" for warning in report["warnings"]),
        *(f"{option[2:]}: {path}" for option, path in destinations.items()),
    ]


def _doubts(uncertainty: dict[str, Any] | None) -> list[str]:
    if uncertainty is None or not uncertainty["slices"]:
        return []
    first = uncertainty["slices"][:_FIRST_SLICES]
    listed = [[str(one["index"]), f"{one['expected_error_ml']:.2f} mL"] for one in first]
    return [
        "Slices to look at first, and how much of each is probably wrong:",
        *table(listed),
        "Slices run along the image's third axis and count from 0, like the last voxel index in Slicer's Data Probe.",
    ]
