"""nnU-Net v2's own prediction, beside which ours is run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

for _name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(_name, "not-used")  # nnU-Net warns without

from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402


def predicted(
    folder: Path, images: list[Path], scratch: Path, *, mirror: bool, folds: tuple[int, ...] = (0,)
) -> tuple[np.ndarray, np.ndarray]:
    """Return nnU-Net's labels ``(D, H, W)`` as it writes them, and probabilities ``(outputs, D, H, W)`` as it reads."""
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=folds)
    reader = predictor.plans_manager.image_reader_writer_class()
    array, properties = reader.read_images([str(file) for file in images])
    labels, probabilities = predictor.predict_single_npy_array(array, properties, None, None, True)
    written = scratch / "nnunet-labels.nii.gz"
    reader.write_seg(labels, str(written), properties)
    return sitk.GetArrayFromImage(sitk.ReadImage(written)), probabilities
