"""``convnextseg models tune``: whether half precision gives the same masks on this computer."""

from __future__ import annotations

import argparse
from typing import Any

from .named_files import given_path
from .output import Output, table


def add_action(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add the action."""
    parser = actions.add_parser(
        "tune",
        parents=[common],
        help="see whether half precision gives the same masks on this computer's CPU, and use it if so",
        description="Segment cases in full and in half precision and compare the masks label by label. Half precision "
        "is used from then on only if every label is the same in at least ten cases and it is faster.",
    )
    parser.add_argument("model", metavar="M", help="name, name@vN, or the path of a model folder")
    parser.add_argument(
        "--cases", required=True, metavar="SET", help="folder of a case set, of all whose cases it takes"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, output: Output) -> None:
    """Compare, store, tell."""
    from ..labels.case_set import CaseSet
    from ..models.store import ModelStore

    model = ModelStore().open(arguments.model)
    cases = CaseSet.open(given_path("--cases", arguments.cases)).cases()
    reporter = output.reporter()
    reporter.progress("load", 0.0, f"model {model.spec}")

    from ..inference.tuning import tune

    found = tune(model, cases, reporter)
    rows = [["label", "cases", "lowest Dice", "volume changes by up to", "same"]]
    rows += [
        [v.label, str(v.cases), f"{v.worst_dice:.4f}", f"{v.worst_volume_change:.2%}", "yes" if v.accepted else "no"]
        for v in found.labels
    ]
    use = found.tuning.accepted and found.tuning.speedup > 1
    verdict = "is used from now on" if use else "is not used"
    value = {
        "model": model.spec,
        "precision": found.tuning.precision,
        "speedup": found.tuning.speedup,
        "used": use,
        "labels": [verdict.to_dict() for verdict in found.labels],
        "cases": [row.to_dict() for row in found.rows],
    }
    output.result(
        value, [*table(rows), f"{found.tuning.precision} is {found.tuning.speedup:.2f} times as fast and {verdict}."]
    )
