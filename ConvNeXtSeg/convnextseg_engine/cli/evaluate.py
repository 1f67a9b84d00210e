"""``convnextseg evaluate``: how a model does on the cases of a set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .destinations import checked_destination, writing
from .named_files import given_path
from .output import Output, table

if TYPE_CHECKING:
    from ..training.scores import Evaluation


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "evaluate", parents=[common], help="measure a model on cases",
        description="Compare a model's masks with the masks of a case set, case by case.",
    )  # fmt: skip
    parser.add_argument("--model", required=True, metavar="M", help="name, name@vN, or the path of a model folder")
    parser.add_argument("--cases", required=True, metavar="SET", help="folder of the case set")
    parser.add_argument("--split", required=True, choices=("train", "validation", "test"), help="which of its cases")
    parser.add_argument("--report", required=True, metavar="F.json", help="where the figures go")
    parser.add_argument("--overwrite", action="store_true", help="replace the report if it exists")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Evaluate, write, tell."""
    path = checked_destination("--report", arguments.report, (".json",), overwrite=arguments.overwrite)

    from ..durable import write_json
    from ..labels.case_set import CaseSet
    from ..models.store import ModelStore

    model = ModelStore().open(arguments.model)
    cases = CaseSet.open(given_path("--cases", arguments.cases)).cases(arguments.split)
    if not cases:
        raise InputError(
            f"The case set has no cases for {arguments.split}.",
            remedy="Choose another split, or add cases with “convnextseg cases add … --split”.",
            code="no-cases",
        )
    reporter = output.reporter()
    reporter.progress("load", 0.0, f"model {model.spec}")

    from ..inference.loaded import load
    from ..training.evaluate import evaluate

    loaded = load(model)
    evaluation = evaluate(loaded, cases, reporter.part(0.05, 1.0))
    report = evaluation.to_dict() | {
        "model": loaded.identity,
        "split": arguments.split,
        "device": loaded.device.name,
        "backend": loaded.backend.name,
        "mean_dice": [{"name": name, "dice": value} for name, value in evaluation.summary().items()],
    }
    with writing("--report", path, overwrite=arguments.overwrite):
        write_json(path, report)
    output.result(report | {"report": str(path)}, [*table(_rows(evaluation)), f"report: {path}"])


def _rows(evaluation: Evaluation) -> list[list[str]]:
    names = evaluation.targets
    summary = evaluation.summary()
    return [
        ["Dice", *names],
        *([row.case, *(f"{row.scores[name].dice:.3f}" for name in names)] for row in evaluation.rows),
        ["mean", *(f"{summary[name]:.3f}" for name in names)],
    ]
