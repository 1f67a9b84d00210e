"""nnU-Net v2's own predictor around the same network and weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convnextseg_engine.inference.options import SegmentOptions, settings_for
from convnextseg_engine.models.folder import ModelFolder

from .side import monai_network

for _name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(_name, "not-used")  # nnU-Net warns without


class WithNnunet:
    """``nnUNetPredictor``, initialised by hand with MONAI's MedNeXt that holds the model's weights.

    Args:
        model: The model's folder.
        sequential: Use the predictor's single-process way instead of its default, which starts processes for reading
            and writing.
    """

    def __init__(self, model: ModelFolder, *, sequential: bool = False):
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        settings = settings_for(SegmentOptions(), model.metadata)
        self._sequential = sequential
        self._channels = model.metadata.channels
        self._network = monai_network(model)
        self._predictor = nnUNetPredictor(
            tile_step_size=1 - settings.overlap,
            use_gaussian=True,
            use_mirroring=bool(settings.mirror_axes),
            device=torch.device("cpu"),
            perform_everything_on_device=False,
            allow_tqdm=False,
        )
        plans = PlansManager(_plans(model))
        configuration = plans.get_configuration("3d_fullres")
        self._predictor.manual_initialization(
            self._network, plans, configuration, [self._network.state_dict()], _dataset(model), "nnUNetTrainer",
            settings.mirror_axes or None,
        )  # fmt: skip
        way = "predict_from_files_sequential" if sequential else "predict_from_files"
        self.does = f"nnU-Net v2 nnUNetPredictor.{way}, MONAI MedNeXt, fp32, overlap {settings.overlap:g}"

    def network(self, windows: np.ndarray) -> None:
        """Run the network on windows ``(N, C, d, h, w)`` as the predictor does."""
        with torch.inference_mode():
            for window in torch.from_numpy(windows).split(1):
                self._predictor._internal_maybe_mirror_and_predict(window)

    def segment(self, files: dict[str, Path], output: Path) -> None:
        """Read, segment, write."""
        inputs = [[str(files[name]) for name in self._channels]]
        outputs = [str(output).removesuffix(".nii.gz")]
        if self._sequential:
            self._predictor.predict_from_files_sequential(inputs, outputs)
        else:
            self._predictor.predict_from_files(inputs, outputs)


def _plans(model: ModelFolder) -> dict[str, Any]:
    """Return plans as nnU-Net's planner writes them, for the model's spacing, patch and intensities."""
    metadata = model.metadata
    count = len(metadata.channels)
    resampling = {"is_seg": False, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres", "preprocessor_name": "DefaultPreprocessor", "batch_size": 2,
        "patch_size": list(metadata.patch), "median_image_size_in_voxels": list(metadata.patch),
        "spacing": list(metadata.spacing[::-1]), "normalization_schemes": ["ZScoreNormalization"] * count,
        "use_mask_for_norm": [True] * count, "batch_dice": False,
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": resampling | {"order": 3},
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_seg_kwargs": resampling | {"is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": resampling | {"order": 1},
        "architecture": {"network_class_name": "given by hand", "arch_kwargs": {}, "_kw_requires_import": []},
    }  # fmt: skip
    return {
        "dataset_name": "Dataset001_Benchmark",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [155, 240, 240],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {str(index): {} for index in range(count)},
        "configurations": {"3d_fullres": configuration},
    }


def _dataset(model: ModelFolder) -> dict[str, Any]:
    """Return the dataset's description: nested regions, the largest first, each writing its own label."""
    contract = model.contract
    order = []
    for index, region in enumerate(contract.regions):
        inner = set(contract.regions[index + 1].labels) if index + 1 < len(contract.regions) else set()
        (own,) = set(region.labels) - inner
        order.append(contract.label(own).value)
    # nnU-Net wants labels to count from 1 in the order of the regions.
    number = {value: index + 1 for index, value in enumerate(order)}
    regions = {
        region.name: [number[contract.label(name).value] for name in region.labels] for region in contract.regions
    }
    return {
        "channel_names": dict(enumerate(model.metadata.channels)),
        "labels": {"background": 0} | {name: sorted(values) for name, values in regions.items()},
        "regions_class_order": order,
        "file_ending": ".nii.gz",
        "numTraining": 1,
    }
