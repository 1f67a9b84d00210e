"""nnU-Net v2's results folders: ``plans.json``, ``dataset.json`` and ``fold_*/checkpoint_final.pth``.

Isensee et al., Nature Methods 2021, doi:10.1038/s41592-020-01008-z; https://github.com/MIC-DKFZ/nnUNet (Apache-2.0).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..networks.dynamic_architectures import other_names
from ..networks.registry import build
from .answers import ImportAnswers, Questions
from .imported import ImportedModel, sources_of
from .mednext_shape import mednext_network, without_deep_heads
from .nnunet_channels import channels_of
from .nnunet_folds import chosen_folds
from .nnunet_labels import contract_of
from .nnunet_plans import configuration_of, network_of, preparation_of
from .safe_pickle import load_torch
from .state_dicts import shapes, without_prefixes
from .unsafe import DamagedCheckpoint

_PLANS, _DATASET = "plans.json", "dataset.json"
_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
_DEEPEST = 3  # a results folder within that of its data set, within the one of all results


def matches(path: Path) -> bool:
    """Say whether ``path`` is a results folder of nnU-Net v2, or a folder around such ones."""
    return path.is_dir() and bool(_results_folders(path))


def read(path: Path, answers: ImportAnswers) -> ImportedModel:
    """Read a results folder; several folds become an ensemble.

    Raises:
        NeedsAnswer: If something is open that only the user can say.
        InputError: If the folder is incomplete, or asks for parts that are not known.
    """
    folder = _chosen(path, answers)
    plans, dataset = _json(folder / _PLANS), _json(folder / _DATASET)
    files, notes = chosen_folds(folder, _CHECKPOINTS, answers.folds)
    checkpoints = [_checkpoint(file) for file in files]
    try:
        return _model(folder, plans, dataset, files, checkpoints, notes, answers)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise DamagedCheckpoint(folder.name, f"Its plans and weights do not say what they should: {reason}.") from error


def _model(
    folder: Path,
    plans: dict[str, Any],
    dataset: dict[str, Any],
    files: list[Path],
    checkpoints: list[dict[str, Any]],
    notes: list[str],
    answers: ImportAnswers,
) -> ImportedModel:
    questions = Questions()
    channels = channels_of(dataset.get("channel_names") or dataset["modality"], answers, questions)
    contract = contract_of(dataset, answers, questions)
    licence = questions.need(
        answers.licence or dataset.get("licence") or dataset.get("license"),
        "It does not say under which licence its weights may be used.",
        "--licence NAME (or “unknown”)",
    )
    questions.ask()
    name = checkpoints[0]["init_args"]["configuration"]
    configuration = configuration_of(plans, name)
    preparation = preparation_of(plans, configuration, len(channels))
    states = [without_prefixes(checkpoint["network_weights"]) for checkpoint in checkpoints]
    network = _network(configuration, states[0])
    axes = tuple(checkpoints[0].get("inference_allowed_mirroring_axes") or ())
    patch = tuple(int(extent) for extent in configuration["patch_size"])
    if len(patch) == 2:  # along the network's first axis, slice by slice
        patch, axes = (1, *patch), tuple(axis + 1 for axis in axes)
    return ImportedModel(
        network=network,
        state_dicts=[_each_once(network, state, len(channels), contract.network_outputs) for state in states],
        channels=channels,
        spacing=_spacing(plans, preparation.spacing, preparation.axes),
        patch=patch,
        contract=contract,
        title=answers.title
        or f"{dataset.get('name') or plans.get('dataset_name', folder.parent.name)}, nnU-Net {name}",
        lineage={
            "kind": "nnU-Net v2",
            "trainer": str(checkpoints[0].get("trainer_name", "")),
            "configuration": name,
            "plans": str(plans.get("plans_name", "")),
            "sources": sources_of(folder / _PLANS, folder / _DATASET, *files),
        },
        licence=licence,
        preparation=preparation.to_dict(),
        inference={"overlap": 0.5, "mirror_axes": list(axes), "arithmetic": answers.arithmetic or "float32"},
        notes=notes,
        skull_stripped=bool(answers.skull_stripped),
    )


def _network(configuration: dict[str, Any], state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Return the network, where plans and tensors disagree as the tensors have it: a trainer can build another one."""
    mednext = mednext_network(shapes(state))
    if mednext is not None:
        return mednext
    network = network_of(configuration)
    if any(key.endswith("running_mean") for key in state):
        network["norm"] = "batch"
    return network


def _each_once(
    network: dict[str, Any], state: dict[str, torch.Tensor], inputs: int, outputs: int
) -> dict[str, torch.Tensor]:
    """Return the weights without the further names that nnU-Net lists most of them under."""
    if network["name"] != "nnunet-unet":
        return without_deep_heads(state)
    with torch.device("meta"):
        others = other_names(build(network, inputs, outputs))
    for other, first in others.items():
        if other in state and first in state and not torch.equal(state[other], state[first]):
            raise ValueError(f"{other} and {first} are one weight, but hold different numbers")
    return {key: tensor for key, tensor in state.items() if key not in others}


def _spacing(
    plans: dict[str, Any], spacing: tuple[float | None, float, float], axes: tuple[int, int, int]
) -> tuple[float, float, float]:
    """Return millimetres along L, P, S for images whose axes run that way; slices keep their own distance."""
    kept = plans.get("original_median_spacing_after_transp", [1.0])[0]
    of_array = {axis: float(value or kept) for axis, value in zip(axes, spacing, strict=True)}
    return of_array[2], of_array[1], of_array[0]


def _checkpoint(file: Path) -> dict[str, Any]:
    content = load_torch(file)
    if not isinstance(content, dict) or not isinstance(content.get("network_weights"), dict):
        raise DamagedCheckpoint(file.name, "It holds no “network_weights”, as a checkpoint of nnU-Net v2 does.")
    # Only what is needed: the optimiser's state is twice as large as the weights.
    wanted = ("network_weights", "init_args", "trainer_name", "inference_allowed_mirroring_axes")
    return {key: content[key] for key in wanted if key in content}


def _chosen(path: Path, answers: ImportAnswers) -> Path:
    """Return the results folder; asks if there are several."""
    folders = _results_folders(path)
    if len(folders) > 1 and answers.configuration:
        folders = [folder for folder in folders if answers.configuration in (folder.name, _configuration(folder))]
        if not folders:
            raise InputError(
                f"There is no configuration “{answers.configuration}” in {path.name}.",
                reason=f"There are {', '.join(folder.name for folder in _results_folders(path))}.",
                remedy="Choose one of these.",
                code="no-configuration",
            )
    questions = Questions()
    names = [folder.name for folder in folders]
    found = {_configuration(folder) for folder in folders}
    choices = sorted(found) if len(found) == len(folders) else names
    chosen = questions.need(
        folders[0] if len(folders) == 1 else None,
        f"There are several models: {', '.join(names)}.",
        f"--configuration {'|'.join(choices)}",
    )
    questions.ask()
    return chosen


def _configuration(folder: Path) -> str:
    return folder.name.rpartition("__")[2]


def _results_folders(path: Path) -> list[Path]:
    for depth in range(_DEEPEST):
        found = [plans.parent for plans in path.glob("*/" * depth + _PLANS) if any(plans.parent.glob("fold_*"))]
        if found:
            return sorted(found)
    return []


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DamagedCheckpoint(file.name, f"{type(error).__name__}: {error}.") from error
    if not isinstance(content, dict):
        raise DamagedCheckpoint(file.name, "It does not hold what nnU-Net writes there.")
    return content
