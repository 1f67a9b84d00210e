"""Make the bundled demonstration model's folder from trained weights, and state in it what it was measured to do.

    .venv/bin/python scripts/publish_demo_model.py --run training-runs/demo --output FOLDER
    .venv/bin/python scripts/publish_demo_model.py --restate FOLDER

The second measures a published model again, after preparation or inference have changed, and leaves its weights alone.
The shipped folder is ``ConvNeXtSeg/convnextseg_engine/data/models/demo-brain-tumour``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convnextseg_engine.durable import write_json, write_text
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.labels.case import voxel_hash
from convnextseg_engine.models.checksums import write_sums
from convnextseg_engine.models.folder import METADATA, README, ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.weights import load_weights
from convnextseg_engine.networks.registry import build
from convnextseg_engine.training.recipe import read_recipe
from demo_model import CHANNELS, NETWORK, RECIPE, SPACING, brats_case, brats_split, contract
from measure_demo_model import means, measure, table
from measure_uncertainty import calibration_of

INTENDED_USE = (
    "Demonstration only, not for clinical use. Pre-operative glioma in adults, skull-stripped T1, T1c, T2 and FLAIR, "
    "any subset of them."
)
ATTRIBUTION = (
    "Trained on 8 cases of BraTS 2021 (CC BY 4.0; The Cancer Imaging Archive): Baid et al. 2021, arXiv:2107.02314; "
    "Menze et al. 2015, IEEE TMI 34:1993; Bakas et al. 2017, Sci Data 4:170117; and on synthetic brains. "
    "Network: MedNeXt, Roy et al. 2023, arXiv:2303.09975."
)


def main() -> int:
    """Publish and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path, help="the training's run folder")
    what.add_argument("--restate", type=Path, metavar="FOLDER", help="a published model folder to measure again")
    parser.add_argument("--output", type=Path, help="the model folder to make")
    parser.add_argument("--note", default="", help="what else a reader should know of how it was trained")
    options = parser.parse_args()
    if options.restate:
        rows = restate(options.restate)
    elif options.output:
        rows = publish(options.run, options.output, options.note)
    else:
        parser.error("--run needs --output")
    print(table(rows))
    return 0


def publish(run: Path, output: Path, note: str) -> list[dict[str, Any]]:
    """Make the model folder of a training; return the measured rows."""
    recipe = read_recipe(RECIPE)
    labels = contract()
    history = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    steps = max(entry["step"] for entry in history)
    kept = build(NETWORK, len(CHANNELS), len(labels.regions)).state_dict()
    weights = {k: v for k, v in load_weights(run / "best.safetensors").items() if k in kept}
    metadata = Metadata(
        name="demo-brain-tumour",
        version="v1",
        title="Brain tumour, demonstration (not for clinical use)",
        intended_use=INTENDED_USE,
        network=NETWORK,
        channels=CHANNELS,
        spacing=SPACING,
        patch=recipe.patch,
        skull_stripped=True,
        lineage={
            "base": None,
            "script": "scripts/train_demo_model.py",
            "recipe": recipe.to_dict(),
            "steps": steps,
            "note": note,
        },
        training_cases=_seen_images(),
        licence="CC-BY-4.0",
        attribution=ATTRIBUTION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with tempfile.TemporaryDirectory() as temporary:
        unmeasured = ModelFolder.write(Path(temporary) / "model", metadata, labels, weights, "not measured yet")
        metadata, rows = measured(unmeasured)
    ModelFolder.write(output, metadata, labels, weights, _card(rows, steps, note))
    return rows


def restate(folder: Path) -> list[dict[str, Any]]:
    """Measure a published model again and state it in its folder; return the measured rows."""
    model = ModelFolder.open(folder)
    metadata, rows = measured(model)
    lineage = model.metadata.lineage
    write_json(folder / METADATA, metadata.to_dict())
    write_text(folder / README, _card(rows, lineage["steps"], lineage["note"]))
    write_sums(folder)
    ModelFolder.open(folder)
    return rows


def measured(model: ModelFolder) -> tuple[Metadata, list[dict[str, Any]]]:
    """Return a model's metadata with its calibration and its figures on the test cases, and these as rows."""
    loaded = load(model, "cpu")
    rows, calibration = measure(loaded), calibration_of(loaded)
    how = {"script": "scripts/measure_uncertainty.py"} | calibration.to_dict()
    metadata = replace(
        model.metadata,
        inference=model.metadata.inference | {"temperature": calibration.temperatures},
        lineage=model.metadata.lineage | {"calibration": how},
        validation={"split": "test", "rows": rows, "mean_dice": means(rows)},
    )
    return metadata, rows


def _seen_images() -> tuple[str, ...]:
    """Return the hashes of every image used for training or for choosing weights, so that none can judge later."""
    studies = [brats_case(name)[0] for split in ("train", "validation") for name in brats_split(split)]
    return tuple(sorted(voxel_hash(image) for study in studies for image in study.channels.values()))


def _card(rows: list[dict[str, Any]], steps: int, note: str) -> str:
    return f"""# Brain tumour, demonstration

**Not for clinical use.** {INTENDED_USE}

It shows that the loop of ConvNeXtSeg works; eight training cases make no product. It is not made for images with
skull, for children, after surgery, or for tumours other than glioma.

| | |
|---|---|
| network | MedNeXt-S, kernel 3, width 16 |
| input | {", ".join(CHANNELS)} (any subset), resampled to {SPACING[0]:g} mm, z-scores within the brain |
| output | whole tumour, tumour core, enhancing tumour; written as edema, core, enhancing |
| trained | {steps} steps by `scripts/train_demo_model.py` on two CPU cores{f"; {note}" if note else ""} |
| licence | CC BY 4.0 |

## Data

{ATTRIBUTION}

Its probabilities are calibrated by temperatures that were fitted on the two validation cases by
`scripts/measure_uncertainty.py`; the masks are the same with and without.

## Dice on the three test cases

Expert labels; measured on the original 1 mm grid by `scripts/measure_demo_model.py`. A single channel means that the
other three were withheld. BraTS2021_01484 has no enhancing tumour: there, Dice is 1 if nothing was marked, else 0.

{table(rows)}
"""


if __name__ == "__main__":
    sys.exit(main())
