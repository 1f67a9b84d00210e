"""Train the bundled demonstration model from the ``train`` split of the BraTS 2021 cases in the shared folder.

    .venv/bin/python scripts/train_demo_model.py --run training-runs/demo [--resume]

Writes ``best.safetensors`` into the run folder (and checkpoints, so that it can be stopped and resumed). The model
folder is made from it by ``scripts/publish_demo_model.py``, which also measures it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

from convnextseg_engine.images.prepare import InputSpec
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.networks.registry import build
from convnextseg_engine.progress import Reporter
from convnextseg_engine.training.loop import train
from convnextseg_engine.training.recipe import read_recipe
from convnextseg_engine.training.samples import PatchSource, training_case
from convnextseg_engine.training.synthetic_source import synthetic_source
from convnextseg_engine.training.validate import validation_of
from demo_model import CHANNELS, NETWORK, RECIPE, SPACING, brats_case, brats_split, contract


def main() -> int:
    """Train and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder for checkpoints and the result")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")
    parser.add_argument("--steps", type=int, help="other number of steps than the recipe's")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = read_recipe(RECIPE).with_steps(options.steps)
    spec = InputSpec(CHANNELS, SPACING)
    labels = contract()
    cases = {split: [_prepared(name, labels, spec) for name in brats_split(split)] for split in ("train", "validation")}
    print(f"prepared {len(cases['train'])} training and {len(cases['validation'])} validation cases", flush=True)

    torch.manual_seed(recipe.seed)
    network = build(NETWORK, len(CHANNELS), len(labels.regions), deep_supervision=recipe.deep_supervision)
    options.run.mkdir(parents=True, exist_ok=True)
    log = (options.run / "log.jsonl").open("a", encoding="utf-8")
    reporter = Reporter(on_metrics=lambda values: _log(log, values))
    state = train(
        network,
        PatchSource(cases["train"], recipe, recipe.patch, synthetic_source(recipe, labels, spec)),
        recipe,
        checkpoint=options.run / "checkpoint.pt",
        resume=options.resume,
        validate=validation_of(cases["validation"], labels, recipe.patch, "cpu", reporter),
        reporter=reporter,
    )
    save_file({k: v.contiguous() for k, v in state.best_weights.items()}, options.run / "best.safetensors")
    print(f"best mean validation Dice {state.best_score:.3f} after {state.step} steps", flush=True)
    return 0


def _prepared(name: str, labels: LabelContract, spec: InputSpec):
    study, mask = brats_case(name)
    return training_case(study, mask, labels, spec)


def _log(stream, values: dict) -> None:
    stream.write(json.dumps({"time": round(time.time(), 1), **values}) + "\n")
    stream.flush()
    if "validation_dice" in values:
        print(values, flush=True)


if __name__ == "__main__":
    sys.exit(main())
