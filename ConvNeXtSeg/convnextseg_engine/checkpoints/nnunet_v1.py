"""nnU-Net v1's results folders, as MIC-DKFZ's MedNeXt is published: ``fold_*/model_final_checkpoint.model``, ``.pkl``.

Isensee et al., Nature Methods 2021; Roy et al., MICCAI 2023, arXiv:2303.09975; https://github.com/MIC-DKFZ/MedNeXt
(Apache-2.0). Plans lie in the ``.model.pkl`` beside each checkpoint.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..images.nnunet.preparation import ANISOTROPY, V1, IntensityRule, Preparation, ResamplingRule
from ..labels.contract import LabelContract, exclusive_contract
from ..labels.known_labels import label_named
from .answers import ImportAnswers, Questions
from .generic_unet import generic_unet_network, plain_names
from .imported import ImportedModel, sources_of
from .mednext_shape import mednext_network, without_deep_heads
from .nnunet_channels import channels_of
from .nnunet_folds import chosen_folds
from .nnunet_plans import refused
from .safe_pickle import load_pickle, load_torch
from .state_dicts import shapes, without_prefixes
from .unsafe import DamagedCheckpoint

_CHECKPOINTS = ("model_final_checkpoint.model", "model_best.model")
_DEEPEST = 4  # fold, trainer, task and configuration
_INTENSITIES = {"nonCT": "zscore", "CT": "ct", "CT2": "ct-own-statistics", "noNorm": "none"}
_STATISTICS = {"low": "percentile_00_5", "high": "percentile_99_5", "mean": "mean", "deviation": "sd"}
_PREPROCESSORS = ("GenericPreprocessor", "PreprocessorFor2D")
_STAGE_ARGUMENT = 5  # of the trainer's constructor, whose arguments “init” lists


def matches(path: Path) -> bool:
    """Say whether ``path`` is a results folder of nnU-Net v1, a folder around such ones, or one of its checkpoints."""
    return bool(_results_folders(path))


def read(path: Path, answers: ImportAnswers) -> ImportedModel:
    """Read a results folder; several folds become an ensemble.

    Raises:
        NeedsAnswer: If something is open that only the user can say: what the labels' integers mean always is.
        InputError: If the folder is incomplete, or asks for parts that are not known.
    """
    folder, folds = _chosen(path, answers)
    files, notes = chosen_folds(folder, _CHECKPOINTS, folds)
    try:
        return _model(folder, files, notes, answers)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise DamagedCheckpoint(folder.name, f"Its plans and weights do not say what they should: {reason}.") from error


def _model(folder: Path, files: list[Path], notes: list[str], answers: ImportAnswers) -> ImportedModel:
    descriptions = [_description(file) for file in files]
    trainer, plans = str(descriptions[0]["name"]), descriptions[0]["plans"]
    _check_trainer(trainer)
    stage = _stage(descriptions[0], plans)
    questions = Questions()
    channels = channels_of(plans["modalities"], answers, questions)
    contract = _contract(plans, answers, questions)
    licence = questions.need(
        answers.licence,
        "It does not say under which licence its weights may be used.",
        "--licence NAME (or “unknown”)",
    )
    questions.ask()
    network, states = _network([_weights(file) for file in files], trainer)
    preparation = _preparation(plans, stage, len(channels))
    patch = tuple(int(extent) for extent in stage["patch_size"])
    axes = [] if "nomirroring" in trainer.casefold() else list(range(3 - len(patch), 3))
    if len(patch) == 2:  # along the network's first axis, slice by slice
        patch = (1, *patch)
    return ImportedModel(
        network=network,
        state_dicts=states,
        channels=channels,
        spacing=_spacing(preparation, stage),
        patch=patch,
        contract=contract,
        title=answers.title or f"{folder.parent.name}, {trainer}",
        lineage={
            "kind": "nnU-Net v1",
            "trainer": trainer,
            "plans": folder.name.rpartition("__")[2],
            "sources": sources_of(*files, *(_beside(file) for file in files)),
        },
        licence=licence,
        preparation=preparation.to_dict(),
        inference={"overlap": 0.5, "mirror_axes": axes, "arithmetic": answers.arithmetic or V1},
        notes=[*notes, "Images are mirrored along the axes that nnU-Net v1 mirrors by default; the files do not say."],
        skull_stripped=bool(answers.skull_stripped),
    )


def _network(
    states: list[dict[str, torch.Tensor]], trainer: str
) -> tuple[dict[str, Any], list[dict[str, torch.Tensor]]]:
    """Return the network that the tensors belong to, and them under its names."""
    found = shapes(states[0])
    mednext = mednext_network(found)
    if mednext is not None:
        return mednext, [without_deep_heads(state) for state in states]
    unet = generic_unet_network(found)
    if unet is not None:
        return unet, [plain_names(state) for state in states]
    raise InputError(
        "The network of this nnU-Net v1 model is not known.",
        reason=f"Its weights are those of neither a MedNeXt nor nnU-Net's own U-Net; its trainer is {trainer}.",
        remedy="Use it with nnU-Net v1 itself, or train it again with nnU-Net v2, which is read.",
        code="unknown-network",
    )


def _check_trainer(trainer: str) -> None:
    if "cascade" in trainer.casefold():
        raise InputError(
            "This is the second stage of a cascade, which cannot be imported.",
            reason=f"Its trainer is {trainer}, which takes another network's result as input.",
            remedy="Import a 3d_fullres or 3d_lowres model, which stands alone.",
            code="cascade",
        )
    if "region" in trainer.casefold():
        raise InputError(
            "This model predicts regions that its files do not name.",
            reason=f"Its trainer is {trainer}; which regions it has stands only in that program.",
            remedy="Use it with nnU-Net v1 itself, or train it again with nnU-Net v2, which names its regions.",
            code="unknown-regions",
        )


def _contract(plans: dict[str, Any], answers: ImportAnswers, questions: Questions) -> LabelContract | None:
    """Return the labels as the user names them; plans hold integers only, and packages number labels differently."""
    values = [int(value) for value in plans["all_classes"]]
    if sorted(values) != list(range(1, len(values) + 1)):
        raise refused(f"the labels have the values {values}", "1, 2, 3, … without a gap")
    named = {value: name for name, value in answers.labels or ()}
    wrong = sorted(set(named) - set(values))
    if wrong:
        raise refused(f"no label has the value {', '.join(map(str, wrong))}", ", ".join(map(str, values)))
    complete = questions.need(
        named if set(named) == set(values) else None,
        f"It numbers its labels {', '.join(map(str, values))} and does not say what they are; packages of the same "
        "challenge disagree on which one is edema.",
        f"--labels {','.join(f'NAME={value}' for value in values)}",
    )
    if complete is None:
        return None
    return exclusive_contract(tuple(label_named(named[value], value) for value in sorted(values)))


def _preparation(plans: dict[str, Any], stage: dict[str, Any], channels: int) -> Preparation:
    preprocessor = plans.get("preprocessor_name") or "GenericPreprocessor"
    if preprocessor not in _PREPROCESSORS:
        raise refused(f"its preprocessor is {preprocessor}", " and ".join(_PREPROCESSORS))
    spacing = [float(value) for value in stage["current_spacing"]]
    if len(stage["patch_size"]) == 2:
        spacing[0] = None
    export = plans.get("segmentation_export_params") or {}
    return Preparation(
        V1,
        tuple(int(axis) for axis in plans.get("transpose_forward") or (0, 1, 2)),
        tuple(spacing),
        tuple(_intensity(plans, channel) for channel in range(channels)),
        ResamplingRule(3, 0, None, ANISOTROPY),
        ResamplingRule(
            int(export.get("interpolation_order", 1)),
            int(export.get("interpolation_order_z", 0)),
            export.get("force_separate_z"),
            ANISOTROPY,
        ),
    )


def _intensity(plans: dict[str, Any], channel: int) -> IntensityRule:
    stated = plans["normalization_schemes"][channel]
    if stated not in _INTENSITIES:
        raise refused(f"the normalisation “{stated}” is asked for", ", ".join(_INTENSITIES))
    scheme, masked = _INTENSITIES[stated], bool(plans["use_mask_for_norm"][channel])
    if not scheme.startswith("ct"):
        return IntensityRule(scheme, masked)
    measured = plans["dataset_properties"]["intensityproperties"][channel]
    return IntensityRule(scheme, masked, **{own: float(measured[key]) for own, key in _STATISTICS.items()})


def _stage(description: dict[str, Any], plans: dict[str, Any]) -> dict[str, Any]:
    stages = plans["plans_per_stage"]
    (chosen,) = (description["init"][_STAGE_ARGUMENT],) if len(stages) > 1 else stages
    return stages[chosen]


def _spacing(preparation: Preparation, stage: dict[str, Any]) -> tuple[float, float, float]:
    """Return millimetres along L, P, S for images whose axes run that way."""
    of_array = dict(zip(preparation.axes, map(float, stage["current_spacing"]), strict=True))
    return of_array[2], of_array[1], of_array[0]


def _description(file: Path) -> dict[str, Any]:
    content = load_pickle(_beside(file))
    if not isinstance(content, dict) or not {"init", "name", "plans"} <= set(content):
        raise DamagedCheckpoint(_beside(file).name, "It does not hold what nnU-Net v1 writes there.")
    return content


def _weights(file: Path) -> dict[str, torch.Tensor]:
    content = load_torch(file)
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise DamagedCheckpoint(file.name, "It holds no “state_dict”, as a checkpoint of nnU-Net v1 does.")
    return without_prefixes(content["state_dict"])


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.pkl")


def _chosen(path: Path, answers: ImportAnswers) -> tuple[Path, tuple[str, ...] | None]:
    """Return the results folder, and the folds that ``path`` or the user asks for."""
    folders = _results_folders(path)
    questions = Questions()
    by_name = {f"{folder.parent.parent.name}/{folder.name}": folder for folder in folders}
    if len(folders) > 1 and answers.configuration:
        folders = [folder for name, folder in by_name.items() if answers.configuration in (*name.split("/"), name)]
    folder = questions.need(
        folders[0] if len(folders) == 1 else None,
        f"There are several models: {', '.join(by_name)}.",
        "--configuration FOLDER",
    )
    questions.ask()
    alone = path.parent.name.removeprefix("fold_") if path.is_file() else None
    return folder, answers.folds or ((alone,) if alone else None)


def _results_folders(path: Path) -> list[Path]:
    if path.is_file():
        return [path.parent.parent] if path.suffix == ".model" and _beside(path).is_file() else []
    for depth in range(_DEEPEST):
        found = {
            file.parent.parent
            for name in _CHECKPOINTS
            for file in path.glob("*/" * (depth + 1) + name)
            if _beside(file).is_file()
        }
        if found:
            return sorted(found)
    return []
