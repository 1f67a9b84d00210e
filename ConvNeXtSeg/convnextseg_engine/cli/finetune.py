"""``convnextseg finetune``: corrected cases to a judged candidate version."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import InputError, RunCancelled
from ..inference.device import checked_device_name
from .named_files import given_path
from .output import Output


def add_parser(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Add this command's options."""
    parser = subparsers.add_parser(
        "finetune", parents=[common], help="let a model learn from cases",
        description="Let a model learn from the cases of a set. The result is a candidate version with a verdict; it "
        "is used only after “convnextseg models promote”.",
    )  # fmt: skip
    parser.add_argument("--model", required=True, metavar="M", help="name, name@vN, or the path of a model folder")
    parser.add_argument("--cases", required=True, metavar="SET", help="folder of the case set")
    parser.add_argument(
        "--recipe", default="adapt", metavar="R", help="a recipe that ships, or a recipe file (default: adapt)"
    )
    parser.add_argument("--steps", type=whole_number, metavar="N", help="training steps (default: the recipe's)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    parser.add_argument("--guard", metavar="SET", help="a case set on which forgetting is measured")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Train, judge, tell."""
    checked_device_name(arguments.device)

    from ..labels.case_set import CaseSet
    from ..models.store import ModelStore
    from ..training.recipe import read_recipe

    recipe = read_recipe(arguments.recipe)
    case_set = CaseSet.open(given_path("--cases", arguments.cases))
    guard = CaseSet.open(given_path("--guard", arguments.guard)).folder if arguments.guard else None
    store = ModelStore()
    model = store.open(arguments.model)
    if not case_set.cases("train"):
        raise InputError(
            "The case set has no cases to learn from.",
            reason="None of its cases is in the split train.",
            remedy="Add some with “convnextseg cases add … --split train”.",
            code="no-training-cases",
        )
    reporter = output.reporter()
    reporter.progress("load", 0.0, f"model {model.spec}")

    from ..training.finetune import finetune

    try:
        result = finetune(
            model, case_set, recipe, store,
            steps=arguments.steps, resume=arguments.resume, guard=guard, device=arguments.device,
            reporter=reporter.part(0.01, 1.0),
        )  # fmt: skip
    except KeyboardInterrupt:
        raise RunCancelled(
            "The fine-tuning was interrupted.", remedy="Run the same command with --resume to go on where it stopped."
        ) from None
    spec = f"{model.metadata.name}@{result.version}"
    verdict = result.verdict
    output.result(
        {
            "name": model.metadata.name,
            "version": result.version,
            "verdict": verdict.to_dict(),
            "run_folder": str(result.run_folder),
        },
        [f"Candidate {spec}", *verdict.text().splitlines(), f"“convnextseg models promote {spec}” puts it to use."],
    )


def whole_number(text: str) -> int:
    """Return a number of steps; raises what argparse tells the user."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"“{text}” is not a whole number above 0")
    return int(text)
