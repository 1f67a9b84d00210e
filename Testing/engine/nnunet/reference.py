"""nnU-Net v2's own prediction, beside which ours is run."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

for _name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(_name, "not-used")  # nnU-Net warns without

from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO  # noqa: E402
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402


def predicted(
    folder: Path, images: list[Path], *, mirror: bool, folds: tuple[int, ...] = (0,)
) -> tuple[np.ndarray, np.ndarray]:
    """Return nnU-Net's labels ``(D, H, W)`` and probabilities ``(outputs, D, H, W)``."""
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(folder), use_folds=folds)
    array, properties = SimpleITKIO().read_images([str(file) for file in images])
    return predictor.predict_single_npy_array(array, properties, None, None, True)
