"""The model folder of a candidate: the base model's, with new weights and an honest lineage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from ..labels.case import Case
from ..models.folder import README, ModelFolder
from .checkpoint import TrainingState
from .recipe import Recipe


def case_fingerprints(cases: list[Case]) -> list[str]:
    """Return what identifies cases whatever becomes of their masks: content hashes, and the hash of each image.

    A mask that is corrected once more changes the content hash; the image stays the one that the network has seen.
    """
    return sorted({case.hash for case in cases} | {digest for case in cases for digest in case.voxels.values()})


def write_candidate(
    folder: Path, base: ModelFolder, version: str, network: dict[str, Any], weights: dict[str, torch.Tensor],
    recipe: Recipe, state: TrainingState, used: list[Case],
) -> ModelFolder:  # fmt: skip
    """Write the candidate's model folder.

    Args:
        folder: Where; must not exist.
        base: The model it was fine-tuned from.
        version: The version it is going to get.
        network: Its network: the base's, or one with grown kernels.
        weights: Its tensors.
        recipe: How it was trained.
        state: What the training reached.
        used: Cases used for training or for stopping.
    """
    metadata = replace(
        base.metadata,
        version=version,
        network=network,
        # Probabilities were calibrated for the base's weights.
        inference={key: value for key, value in base.metadata.inference.items() if key != "temperature"},
        lineage={
            "base": {"name": base.metadata.name, "version": base.metadata.version},
            "recipe": recipe.to_dict(),
            "steps": state.step,
            "cases": [{"name": case.id, "split": case.split, "sha256": case.hash} for case in used],
        },
        training_cases=tuple(sorted({*base.metadata.training_cases, *case_fingerprints(used)})),
        validation={"during_training": state.history},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return ModelFolder.write(folder, metadata, base.contract, weights, _card(base, version, recipe, state, used))


def _card(base: ModelFolder, version: str, recipe: Recipe, state: TrainingState, used: list[Case]) -> str:
    cases = "\n".join(f"- {case.id} ({case.split})" for case in used)
    ensemble = len(base.metadata.members) > 1
    started = "the first network of the ensemble " if ensemble else ""
    original = (base.path / README).read_text(encoding="utf-8")
    return (
        f"# {base.metadata.title}, {version}\n\n{base.metadata.intended_use}\n\n"
        f"Fine-tuned from {started}{base.spec} with the recipe “{recipe.name}”, {state.step} steps, on the cases\n\n"
        f"{cases}\n\n"
        f"## Card of {base.spec}\n\n{original}"
    )
