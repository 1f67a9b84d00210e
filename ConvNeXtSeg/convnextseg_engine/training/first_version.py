"""The model folder of a model that was trained from scratch: measured, and with the figures in its card."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..inference.loaded import load
from ..labels.case_set import CaseSet
from ..models.folder import ModelFolder
from ..models.metadata import Metadata
from ..networks.convnext_weights import EncoderWeights
from ..progress import Reporter
from .candidate import case_fingerprints
from .checkpoint import TrainingState
from .evaluate import evaluate
from .fit import Cases
from .new_model import Design
from .recipe import Recipe
from .scores import Evaluation

VERSION = "v1"
_INTENDED_USE = "Research only, not for clinical use. Images like those of the cases that it was trained on."


def first_metadata(
    design: Design, cases: Cases, recipe: Recipe, state: TrainingState, start: EncoderWeights | None
) -> Metadata:
    """Return what a new model says about itself, as far as it is known before it was measured."""
    used = cases["train"] + cases["validation"]
    return Metadata(
        name=design.name,
        version=VERSION,
        title=design.title,
        intended_use=_INTENDED_USE,
        network=design.network,
        channels=design.channels,
        spacing=design.spacing,
        patch=design.patch,
        skull_stripped=design.skull_stripped,
        lineage={
            "base": None,
            "network": design.network_name,
            "encoder_weights": start.to_dict() if start else None,
            "recipe": recipe.to_dict(),
            "steps": state.step,
            "cases": [{"name": case.id, "split": case.split, "sha256": case.hash} for case in used],
        },
        training_cases=tuple(case_fingerprints(used)),
        validation={"during_training": state.history},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_first_version(
    place: Path, metadata: Metadata, case_set: CaseSet, weights: dict[str, torch.Tensor], device: str,
    reporter: Reporter,
) -> dict[str, Evaluation]:  # fmt: skip
    """Measure a new model as it will be used, and write its folder with the figures in it.

    Args:
        place: The model folder; one that this run wrote before it was interrupted is written again.
        metadata: From :func:`first_metadata`.
        case_set: Its ``validation`` and ``test`` cases are what is measured.
        weights: The network's tensors.
        device: Where to run.
        reporter: Progress and cancel.

    Returns:
        What was measured, by split.
    """
    draft_place = place.with_name("unmeasured")
    for unfinished in (draft_place, place):
        shutil.rmtree(unfinished, ignore_errors=True)
    work = {split: items for split in ("validation", "test") if (items := case_set.cases(split))}
    found: dict[str, Evaluation] = {}
    contract = case_set.contract
    if work:
        draft = ModelFolder.write(draft_place, metadata, contract, weights, "# Not measured yet\n")
        loaded = load(draft, device)
        for index, (split, items) in enumerate(work.items()):
            part = reporter.part(index / len(work), (index + 1) / len(work))
            found[split] = evaluate(loaded, items, part)
    figures = {split: _figures(evaluation) for split, evaluation in found.items()}
    final = replace(metadata, validation={**metadata.validation, **figures})
    ModelFolder.write(place, final, contract, weights, _card(final, found))
    return found


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    rows = [
        {"name": row.case, "dice": {name: score.dice for name, score in row.scores.items()}} for row in evaluation.rows
    ]
    return {"mean_dice": evaluation.summary(), "rows": rows}


def _card(metadata: Metadata, found: dict[str, Evaluation]) -> str:
    lineage = metadata.lineage
    cases = "\n".join(f"- {case['name']} ({case['split']})" for case in lineage["cases"])
    start = lineage["encoder_weights"]
    begun = f" Its encoder began with the weights of {start['file']} ({start['naming']})." if start else ""
    tables = [
        f"## Measured on the {split} cases ({len(evaluation.rows)})\n\n| what | mean Dice |\n|---|---|\n"
        + "\n".join(f"| {name} | {value:.3f} |" for name, value in evaluation.summary().items())
        for split, evaluation in found.items()
    ]
    if not found:
        tables = ["## Not measured\n\nThe case set has no validation and no test cases."]
    return (
        f"# {metadata.title}\n\n{metadata.intended_use}\n\n"
        f"{lineage['network']}, trained from scratch with the recipe “{lineage['recipe']['name']}”, "
        f"{lineage['steps']} steps, on the cases\n\n{cases}\n\n{begun}\n\n" + "\n\n".join(tables) + "\n"
    )
