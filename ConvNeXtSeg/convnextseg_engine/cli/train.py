"""``convnextseg train``: a new model from a network's name and a case set."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..errors import RunCancelled
from ..inference.device import checked_device_name
from .finetune import whole_number
from .named_files import given_path
from .output import Output, table
from .patch_option import naming_the_patch


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "train", parents=[common], help="train a new model from scratch",
        description="Train a new model on the cases of a set: split train to learn from, validation to choose the "
        "weights to keep, test to be measured. It becomes version v1 of its name. Under “torchrun --nproc-per-node N "
        "-m convnextseg_engine.cli train …” N processes train together.",
    )  # fmt: skip
    parser.add_argument(
        "--network", required=True, metavar="N", help="a name that “convnextseg networks list” shows, e.g. mednext-b-k5"
    )
    parser.add_argument(
        "--choose", action="append", default=[], type=_choice, metavar="KEY=VALUE", help="a part of the network that "
        "differs from its name, e.g. norm=instance or depths=[3,3,27,3]; may be repeated",
    )  # fmt: skip
    parser.add_argument("--cases", required=True, metavar="SET", help="folder of the case set")
    parser.add_argument("--name", required=True, metavar="MODEL", help="name of the new model")
    parser.add_argument(
        "--recipe", default="scratch", metavar="R", help="a recipe that ships, or a recipe file (default: scratch)"
    )
    parser.add_argument(
        "--spacing", type=_millimetres, metavar="L,P,S", help="millimetres of the network's voxels (default: the "
        "median of the training cases)",
    )  # fmt: skip
    parser.add_argument(
        "--patch", type=_voxels, metavar="D,H,W", help="voxels of the network's window; 1 on one axis for a 2D network "
        "(default: the recipe's, else the network's)",
    )  # fmt: skip
    parser.add_argument("--title", metavar="TEXT", help="one line for the list of models")
    parser.add_argument("--skull-stripped", action="store_true", help="the images have the skull removed")
    parser.add_argument(
        "--encoder-weights", metavar="FILE", help="a ConvNeXt classifier of torchvision or timm to start from "
        "(.safetensors, .pth); convnext-unet networks only",
    )  # fmt: skip
    parser.add_argument(
        "--inflation", choices=("centre", "mean"), default="centre", help="how its kernels become 3D (default: centre)"
    )
    parser.add_argument("--steps", type=whole_number, metavar="N", help="training steps (default: the recipe's)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Train, measure, tell."""
    checked_device_name(arguments.device)

    from ..labels.case_set import CaseSet
    from ..models.store import ModelStore
    from ..training.recipe import read_recipe

    recipe = read_recipe(arguments.recipe)
    case_set = CaseSet.open(given_path("--cases", arguments.cases))
    weights = given_path("--encoder-weights", arguments.encoder_weights) if arguments.encoder_weights else None
    reporter = output.reporter()
    reporter.progress("load", 0.0, f"network {arguments.network}")

    from ..training.from_scratch import train_from_scratch
    from ..training.new_model import NewModel

    new = NewModel(
        arguments.name, arguments.network, arguments.spacing, arguments.patch, arguments.title,
        arguments.skull_stripped, Path(weights) if weights else None, arguments.inflation,
        dict(arguments.choose),
    )  # fmt: skip
    try:
        with naming_the_patch(arguments.patch is not None):
            result = train_from_scratch(
                new, case_set, recipe, ModelStore(), steps=arguments.steps, resume=arguments.resume,
                device=arguments.device, reporter=reporter.part(0.01, 1.0),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise RunCancelled(
            "The training was interrupted.", remedy="Run the same command with --resume to go on where it stopped."
        ) from None
    rows = [["Dice", *result.evaluations], *_rows(result.evaluations)]
    output.result(
        {
            "name": arguments.name,
            "version": result.spec.partition("@")[2],
            "evaluations": {split: evaluation.to_dict() for split, evaluation in result.evaluations.items()},
            "run_folder": str(result.run_folder),
        },
        [
            f"Model {result.spec}",
            *(table(rows) if result.evaluations else ["It was not measured: there is no validation and no test case."]),
        ],
    )


def _rows(evaluations: dict[str, Any]) -> list[list[str]]:
    summaries = [evaluation.summary() for evaluation in evaluations.values()]
    return [[name, *(f"{summary[name]:.3f}" for summary in summaries)] for name in (summaries[0] if summaries else ())]


def _choice(text: str) -> tuple[str, Any]:
    key, given, value = text.partition("=")
    if not key or not given:
        raise argparse.ArgumentTypeError(f"“{text}” is not a choice such as norm=instance")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _millimetres(text: str) -> tuple[float, float, float]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or not all(0.01 <= value <= 100 for value in values):
        raise argparse.ArgumentTypeError(f"“{text}” is not three millimetre values such as 1,1,1.5")
    return values


def _voxels(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) != 3 or not all(part.isdecimal() and 0 < int(part) <= 4096 for part in parts):
        raise argparse.ArgumentTypeError(f"“{text}” is not three voxel counts such as 64,96,96")
    return tuple(int(part) for part in parts)
