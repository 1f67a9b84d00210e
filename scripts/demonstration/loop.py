"""The second part: correct, export, fine-tune, judge on other cases, decide, and take it back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convnextseg_engine.durable import write_json
from convnextseg_engine.labels.seg_nrrd import write_seg_nrrd
from convnextseg_engine.models.store import ModelStore

from .agreement import masks_of
from .command import convnextseg
from .correction import corrected
from .demo_study import DemoStudy
from .own_files import new_folder
from .segmenting import bundled_model

CORRECTED_CASES = 2


def run_loop(studies: Sequence[DemoStudy], output: Path, steps: int, device: str) -> Path:
    """Correct the first two studies, learn from them, and compare on the others.

    Args:
        studies: At least three with a truth; the first two are corrected, the others judge.
        output: The demonstration's output folder; a new folder is made in it, with a model store of its own, so that
            the user's own models are never touched.
        steps: Training steps.
        device: As the command line takes it.

    Returns:
        The report's path.
    """
    folder = new_folder(output / "loop")
    os.environ["CONVNEXTSEG_HOME"] = str(folder / "home")
    model = bundled_model()
    name = model.partition("@")[0]
    cases = folder / "cases"
    learn, judge = studies[:CORRECTED_CASES], studies[CORRECTED_CASES:]
    changed = [_correct_and_export(study, model, folder, cases, device) for study in learn]
    for study in judge:
        convnextseg(
            "cases", "add", str(cases), "--case", study.name, "--model", model, "--split", "test",
            *study.image_arguments(), "--label", str(study.truth), *study.label_value_arguments(),
        )  # fmt: skip
    print(f"== Fine-tuning on {', '.join(study.name for study in learn)}", flush=True)
    tuned = convnextseg("finetune", "--model", model, "--cases", str(cases), "--steps", str(steps), "--device", device)
    candidate = f"{name}@{tuned['version']}"
    rows = _compared(model, candidate, cases, folder)
    print(*_table(rows, model, candidate), sep="\n")
    note = "decided by the demonstration, to show that the decision is recorded"
    convnextseg("models", "promote", candidate, "--overrule", "--note", note)
    rolled_back = convnextseg("models", "rollback", name)
    history = convnextseg("models", "show", name)["history"]
    report = folder / "loop-report.json"
    write_json(
        report,
        {
            "model": model,
            "candidate": candidate,
            "steps": steps,
            "corrected": changed,
            "judged_on": [study.name for study in judge],
            "scores": rows,
            "verdict": tuned["verdict"],
            "history": history,
            "current_after_rollback": rolled_back["current"],
        },
    )
    print("The decision and its reversal are recorded:")
    print(
        *(f"  {event['time'][:19]} {event['action']} {event['version']} {event['note']}" for event in history), sep="\n"
    )
    print(f"What changed, case by case: {report}")
    return report


def _correct_and_export(study: DemoStudy, model: str, folder: Path, cases: Path, device: str) -> dict[str, Any]:
    print(f"== Correcting {study.name}", flush=True)
    first = folder / f"{study.name}-first.seg.nrrd"
    convnextseg(
        "segment", "--model", model, *study.image_arguments(), "--device", device, "--output", str(first)
    )  # fmt: skip
    contract = ModelStore().open(model).contract
    mask, truth, grid = masks_of(study, first, contract)
    better, slices = corrected(mask, truth)
    path = folder / f"{study.name}-corrected.seg.nrrd"
    write_seg_nrrd(path, better, grid, contract, source="simulated correction")
    print(f"The {len(slices)} worst axial slices were corrected: {', '.join(map(str, slices))}.")
    convnextseg(
        "cases", "add", str(cases), "--case", study.name, "--model", model, "--split", "train",
        *study.image_arguments(), "--label", str(path),
    )  # fmt: skip
    return {"name": study.name, "slices": slices}


def _compared(base: str, candidate: str, cases: Path, folder: Path) -> list[dict[str, Any]]:
    """Return one row per judging case and label or region, with the Dice of both versions."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for spec in (base, candidate):
        report = folder / f"evaluation-{spec.replace('@', '-')}.json"
        told = convnextseg(
            "evaluate", "--model", spec, "--cases", str(cases), "--split", "test", "--report", str(report)
        )  # fmt: skip
        found[spec] = {(row["name"], score["name"]): score["dice"] for row in told["rows"] for score in row["scores"]}
    return [
        {
            "case": case,
            "name": label,
            "base": round(dice, 4),
            "candidate": round(found[candidate][case, label], 4),
            "difference": round(found[candidate][case, label] - dice, 4),
        }
        for (case, label), dice in found[base].items()
    ]


def _table(rows: list[dict[str, Any]], base: str, candidate: str) -> list[str]:
    head = f"{'case':24} {'label or region':18} {base:>18} {candidate:>18}  change"
    return [
        f"Dice on cases that were not learned from ({base} and {candidate}):",
        head,
        *(
            f"{row['case']:24} {row['name']:18} {row['base']:18.3f} {row['candidate']:18.3f}  {row['difference']:+.3f}"
            for row in rows
        ),
    ]
