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
    os.environ["CONVNEXTSEG_HOME"] = str((folder / "home").absolute())
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
    verdict, candidate = tuned["verdict"], f"{name}@{tuned['version']}"
    print(verdict["text"])
    convnextseg("models", "promote", candidate, *_decision(verdict))
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
            "scores": verdict["table"],
            "verdict": verdict,
            "history": [
                {key: event[key] for key in ("time", "action", "version", "previous", "overruled", "note")}
                for event in history
            ],
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


def _decision(verdict: dict[str, Any]) -> list[str]:
    """Return the options of ``models promote``: against a clear verdict the promotion has to say so."""
    against = verdict["outcome"] in ("reject", "hard stop")
    note = "decided by the demonstration, to show that a decision is recorded"
    return [*(["--overrule"] if against else []), "--note", note]
