"""Small results folders as nnU-Net v2 writes them, with random weights, and studies to try them on."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.label_handling.label_handling import LabelManager

CONFIGURATION = "3d_fullres"
LABELS = {"background": 0, "edema": 1, "core": 2}
REGIONS = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}

_RESAMPLING = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
_ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 3,
        "features_per_stage": [4, 6, 8],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3], [3, 3, 3], [3, 3, 3]],
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
        "n_conv_per_stage": [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}


def plans(**changes: Any) -> dict[str, Any]:
    """Plans for two channels; ``changes`` are made to the one configuration."""
    configuration = {
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [16, 16, 16],
        "spacing": [1.5, 1.5, 1.5],
        "normalization_schemes": ["ZScoreNormalization", "CTNormalization"],
        "use_mask_for_norm": [True, False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": _RESAMPLING,
        "resampling_fn_seg_kwargs": _RESAMPLING | {"is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": _RESAMPLING | {"order": 1},
        "architecture": copy.deepcopy(_ARCHITECTURE),
    }
    statistics = {"mean": 120.0, "std": 40.0, "percentile_00_5": 10.0, "percentile_99_5": 240.0}
    return {
        "dataset_name": "Dataset501_Made",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "original_median_spacing_after_transp": [1.5, 1.5, 1.5],
        "configurations": {CONFIGURATION: configuration | changes},
        "foreground_intensity_properties_per_channel": {"0": statistics, "1": statistics},
        "label_manager": "LabelManager",
    }


def dataset(labels: dict[str, Any] = LABELS, order: list[int] | None = None) -> dict[str, Any]:
    """``dataset.json`` for two channels."""
    named = {"channel_names": {"0": "T1", "1": "CT"}, "labels": labels, "file_ending": ".nii.gz", "numTraining": 1}
    return named if order is None else named | {"regions_class_order": order}


def results(
    folder: Path,
    plan: dict[str, Any],
    data: dict[str, Any],
    *,
    folds: int = 1,
    mirror: tuple[int, ...] | None = (0, 1, 2),
) -> Path:
    """Write a results folder whose folds have different random weights, and return it."""
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plan))
    (folder / "dataset.json").write_text(json.dumps(data))
    (name,) = plan["configurations"]
    architecture = plan["configurations"][name]["architecture"]
    heads = LabelManager(data["labels"], data.get("regions_class_order")).num_segmentation_heads
    for fold in range(folds):
        torch.manual_seed(100 + fold)
        network = get_network_from_plans(
            architecture["network_class_name"], architecture["arch_kwargs"], architecture["_kw_requires_import"],
            len(data["channel_names"]), heads, deep_supervision=False,
        )  # fmt: skip
        _speak_up(network, len(data["channel_names"]), len(architecture["arch_kwargs"]["strides"][0]))
        (folder / f"fold_{fold}").mkdir()
        checkpoint = {
            "network_weights": network.state_dict(),
            "init_args": {"configuration": name, "plans": plan, "dataset_json": data, "fold": fold},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": mirror,
        }
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder


def _speak_up(network: torch.nn.Module, channels: int, dim: int) -> None:
    """Make every output positive about as often as negative, and large, so that all labels appear."""
    head = network.decoder.seg_layers[-1]
    with torch.no_grad():
        head.weight.mul_(4)
        said = network.eval()(torch.randn(1, channels, *[16] * dim))
        head.bias.sub_(said.mean(dim=(0, *range(2, dim + 2))))


def image(
    seed: int, *, size: tuple[int, int, int] = (26, 24, 14), spacing: tuple[float, float, float] = (1.2, 1.3, 2.4)
) -> sitk.Image:
    """A smooth random image with a border of zeros on an oblique grid; size and spacing along I, J, K."""
    random = np.random.default_rng(seed)
    array = random.uniform(0, 255, size[::-1]).astype(np.float32)
    result = sitk.DiscreteGaussian(sitk.GetImageFromArray(array), 1.5)
    array = sitk.GetArrayFromImage(result)
    array = (array - array.min()) / (array.max() - array.min()) * 250 + 1
    array[:2], array[:, :3], array[:, :, -2:] = 0, 0, 0
    result = sitk.GetImageFromArray(array)
    result.SetSpacing(spacing)
    result.SetOrigin((-20.0, 11.0, 5.0))
    angle = np.deg2rad(15)
    turn = [np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle), 0, 0, 0, 1]
    result.SetDirection([float(v) for v in turn])
    return result


def turned(x: float, y: float, z: float, *, flip: bool = False) -> tuple[float, ...]:
    """Directions of axes turned by degrees about x, y and z; with ``flip`` left-handed."""
    turn = sitk.Euler3DTransform((0, 0, 0), *(float(np.deg2rad(v)) for v in (x, y, z))).GetMatrix()
    matrix = np.array(turn).reshape(3, 3) @ np.diag([1, 1, -1 if flip else 1])
    return tuple(float(v) for v in matrix.ravel())
