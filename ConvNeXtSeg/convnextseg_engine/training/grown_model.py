"""A model with larger kernels as a new model of its own, from which a training can start."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from ..models.folder import README, ModelFolder
from ..models.weights import load_weights
from ..networks.registry import build
from ..networks.upkern import grow_kernel, grown_network


def write_grown_model(model: ModelFolder, kernel: int, name: str, place: Path) -> ModelFolder:
    """Write ``model`` with larger depthwise kernels (UpKern) as version v1 of another name.

    What it knows it has from ``model``, but it answers differently until it was trained; no figure of ``model`` holds
    for it.

    Args:
        model: The trained model; every network of an ensemble grows.
        kernel: The larger kernel, odd.
        name: Of the new model.
        place: The folder to write; must not exist.

    Raises:
        InputError: If the network cannot grow so, ``name`` cannot name a model, or ``place`` exists.
    """
    old = model.metadata
    network = grown_network(old.network, kernel)
    with torch.device("meta"):
        larger = build(network, len(old.channels), model.contract.network_outputs)
    weights = [grow_kernel(load_weights(path), larger) for path in model.weights_paths]
    change = f"kernels grown from {old.network['kernel']} to {kernel}"
    metadata = replace(
        old,
        name=name,
        version="v1",
        title=f"{old.title}, {change}, not trained since",
        network=network,
        lineage={
            "base": {"name": old.name, "version": old.version},
            "grown_kernel": {"from": old.network["kernel"], "to": kernel},
        }
        # Of an imported model: from where, because what it has seen is as little known as before.
        | {key: old.lineage[key] for key in ("kind", "sources") if key in old.lineage},
        validation={},
        # Probabilities were calibrated for the smaller kernels.
        inference={key: value for key, value in old.inference.items() if key != "temperature"},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    original = (model.path / README).read_text(encoding="utf-8")
    card = (
        f"# {metadata.title}\n\n{old.intended_use}\n\n{model.spec} with its {change} by interpolation (UpKern, Roy et "
        "al. 2023). It is a start for training; use it for segmentation only after it has been fine-tuned.\n\n"
        f"## Card of {model.spec}\n\n{original}"
    )
    return ModelFolder.write(place, metadata, model.contract, weights[0], card, more_members=weights[1:])
