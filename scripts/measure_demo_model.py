"""Measure a brain tumour model on the ``test`` split of the BraTS 2021 cases in the shared folder.

    .venv/bin/python scripts/measure_demo_model.py [--model demo-brain-tumour] [--json F]

Prints Dice per region and case, with all four channels and with each single one, as the model card states them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from convnextseg_engine.inference.loaded import LoadedModel, load
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.training.evaluate import score_masks
from demo_model import CHANNELS, brats_case, brats_split


def measure(loaded: LoadedModel, split: str = "test") -> list[dict[str, Any]]:
    """Return one entry a case and choice of channels: ``case``, ``channels``, ``dice`` and ``hd95_mm`` by region.

    Args:
        loaded: The model.
        split: ``"train"``, ``"validation"`` or ``"test"``.
    """
    regions = [region.name for region in loaded.contract.regions]
    rows = []
    for case in brats_split(split):
        for channels in (CHANNELS, *((name,) for name in CHANNELS)):
            study, truth = brats_case(case, channels)
            result = segment(study, loaded)
            scores = score_masks(result.mask, truth, result.grid, loaded.contract)
            rows.append({
                "name": case,
                "channels": list(channels),
                "dice": {region: round(scores[region].dice, 4) for region in regions},
                "hd95_mm": {region: _rounded(scores[region].hd95_mm) for region in regions},
                "reference_ml": {region: round(scores[region].reference_ml, 2) for region in regions},
                "seconds": round(sum(result.seconds.values()), 2),
            })  # fmt: skip
    return rows


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean Dice by choice of channels and region."""
    result: dict[str, dict[str, float]] = {}
    for channels in dict.fromkeys("+".join(row["channels"]) for row in rows):
        chosen = [row for row in rows if "+".join(row["channels"]) == channels]
        result[channels] = {
            region: round(sum(row["dice"][region] for row in chosen) / len(chosen), 4) for region in chosen[0]["dice"]
        }
    return result


def table(rows: list[dict[str, Any]]) -> str:
    """Return the figures as a Markdown table."""
    regions = list(rows[0]["dice"])
    lines = [f"| case | channels | {' | '.join(regions)} |", f"|---|---|{'---|' * len(regions)}"]
    for row in rows:
        dice = " | ".join(f"{row['dice'][region]:.3f}" for region in regions)
        lines.append(f"| {row['name']} | {' + '.join(row['channels'])} | {dice} |")
    for channels, values in means(rows).items():
        dice = " | ".join(f"**{values[region]:.3f}**" for region in regions)
        lines.append(f"| **mean** | {channels.replace('+', ' + ')} | {dice} |")
    return "\n".join(lines)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def main() -> int:
    """Measure, print and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo-brain-tumour", help="name, name@version or folder")
    parser.add_argument("--split", default="test", choices=("train", "validation", "test"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    loaded = load(ModelStore().open(options.model), options.device, options.backend)
    rows = measure(loaded, options.split)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "means": means(rows)}, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
