"""How well a mask agrees with the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.labels.label_file import read_label
from convnextseg_engine.training.evaluate import score_masks

from .demo_study import DemoStudy


def masks_of(study: DemoStudy, segmentation: Path, contract: LabelContract) -> tuple[np.ndarray, np.ndarray, Grid]:
    """Return the result and the truth as masks ``(D, H, W)`` on the grid of the reference channel, and that grid."""
    grid = Grid.from_image(read_image(next(iter(study.channels.values()))))
    truth = read_label(study.truth, contract, grid, study.truth_values)
    return read_label(segmentation, contract, grid), truth, grid


def agreement(study: DemoStudy, segmentation: Path, contract: LabelContract) -> list[dict[str, Any]]:
    """Return the scores of every region and label, JSON-ready."""
    result, truth, grid = masks_of(study, segmentation, contract)
    return [
        {
            "name": name,
            "dice": round(score.dice, 4),
            "volume_ml": round(score.volume_ml, 3),
            "truth_ml": round(score.reference_ml, 3),
            "both_empty": score.both_empty,
        }
        for name, score in score_masks(result, truth, grid, contract).items()
    ]


def lines(rows: list[dict[str, Any]], truth_source: str) -> list[str]:
    """Return the scores as lines for people."""
    head = f"Dice against {truth_source}:"
    return [
        head,
        *(
            f"  {row['name']:18} {row['dice']:.3f}   {row['volume_ml']:8.2f} mL, truth {row['truth_ml']:8.2f} mL"
            + ("   (nothing to find, nothing marked)" if row["both_empty"] else "")
            for row in rows
        ),
    ]
