"""Measure whether a brain tumour model knows where it errs, on the BraTS 2021 cases in the shared folder.

    .venv/bin/python scripts/measure_uncertainty.py [--model demo-brain-tumour] [--json F]

Prints the expected calibration error of each label within 10 mm of the predicted boundary, before and after
temperatures that are fitted on the validation cases, and the true error volume in the first ten suggested slices
beside that in ten random tumour slices and in the ten with the largest area, as docs/uncertainty.md states them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from convnextseg_engine.inference.loaded import LoadedModel, load
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.regions import labels_from_regions
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.uncertainty.calibrate import Calibration, NearBoundaries, Prediction, calibrate
from convnextseg_engine.uncertainty.summary import uncertainty_of
from demo_model import CHANNELS, brats_case, brats_split

_SLICES = 10


def prediction_of(loaded: LoadedModel, name: str) -> Prediction:
    """Segment a case and return what the model says, without temperatures."""
    study, truth = brats_case(name, CHANNELS)
    result = segment(study, loaded, options=SegmentOptions(keep_probabilities=True))
    return Prediction(name, result.probabilities, truth, result.grid)


def calibration_of(loaded: LoadedModel) -> Calibration:
    """Return the temperatures that fit the validation cases, which chose the weights but did not train them."""
    near = NearBoundaries(loaded.contract)
    for name in brats_split("validation"):
        near.add(prediction_of(loaded, name))
    return calibrate(near)


def slice_row(prediction: Prediction, loaded: LoadedModel) -> dict[str, Any]:
    """Return by how much the suggested slices, and the largest, exceed random tumour slices in true error."""
    contract, grid = loaded.contract, prediction.grid
    mask = labels_from_regions(prediction.probabilities, contract)
    error = np.count_nonzero(mask != prediction.truth, axis=(1, 2)) * grid.voxel_ml
    with_tumour = (prediction.truth > 0).any(axis=(1, 2))
    random = error[with_tumour].mean() * min(_SLICES, int(with_tumour.sum()))
    suggested = [one.index for one in uncertainty_of(prediction.probabilities, mask, contract, grid, {}).slices]
    largest = np.argsort(-np.count_nonzero(mask, axis=(1, 2)), kind="stable")[:_SLICES]
    return {
        "case": prediction.case,
        "tumour_slices": int(with_tumour.sum()),
        "random_ml": round(float(random), 2),
        "suggested": round(float(error[suggested].sum() / random), 2),
        "largest": round(float(error[largest].sum() / random), 2),
        "best_possible": round(float(np.sort(error)[-_SLICES:].sum() / random), 2),
    }


def measure(loaded: LoadedModel) -> dict[str, Any]:
    """Return temperatures, calibration errors on both splits, and a row of slices a case."""
    gathered = {split: NearBoundaries(loaded.contract) for split in ("validation", "test")}
    rows = []
    for split, near in gathered.items():
        for name in brats_split(split):
            prediction = prediction_of(loaded, name)
            near.add(prediction)
            rows.append({"split": split} | slice_row(prediction, loaded))
            print(f"{name}: {rows[-1]}", file=sys.stderr, flush=True)
    found = calibrate(gathered["validation"])
    return {
        "temperatures": found.temperatures,
        "calibration": {
            split: {"before": near.errors({}), "after": near.errors(found.temperatures)}
            for split, near in gathered.items()
        },
        "slices": rows,
    }


def tables(measured: dict[str, Any]) -> str:
    """Return the figures as Markdown tables."""
    lines = ["| label | cases | error before | after |", "|---|---|---|---|"]
    for split, errors in measured["calibration"].items():
        for label, before in errors["before"].items():
            lines.append(f"| {label} | {split} | {before:.3f} | {errors['after'][label]:.3f} |")
    lines += ["", "| case | suggested | largest area | best possible |", "|---|---|---|---|"]
    rows = measured["slices"]
    lines += [f"| {r['case']} | {r['suggested']:.2f} | {r['largest']:.2f} | {r['best_possible']:.2f} |" for r in rows]
    means = [np.mean([row[name] for row in rows]) for name in ("suggested", "largest", "best_possible")]
    lines.append(f"| **mean** | {' | '.join(f'**{mean:.2f}**' for mean in means)} |")
    temperatures = ", ".join(f"{name} {value:.2f}" for name, value in measured["temperatures"].items())
    return "\n".join([*lines, "", f"Temperatures: {temperatures}."])


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-brain-tumour", help="name, name@version or folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    measured = measure(load(ModelStore().open(options.model), options.device))
    print(tables(measured))
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
