"""MONAI as its tutorials use it: dictionary transforms, ``sliding_window_inference``, ``Invertd``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import (
    Compose,
    ConcatItemsd,
    Invertd,
    LoadImaged,
    NormalizeIntensityd,
    Orientationd,
    SaveImage,
    Spacingd,
)

from convnextseg_engine.inference.options import SegmentOptions, settings_for
from convnextseg_engine.models.folder import ModelFolder

from .side import labels_of, monai_network

# The model's arrays run S, P, L; MONAI's images run L, P, S after Orientationd.
_TO_MODEL = (0, 1, 4, 3, 2)


class WithMonai:
    """MONAI's MedNeXt in its default setting, in MONAI's own pipeline.

    Args:
        model: The model's folder.
    """

    def __init__(self, model: ModelFolder):
        self._model = model
        self._network = monai_network(model)
        self._overlap = settings_for(SegmentOptions(), model.metadata).overlap
        self.does = f"MONAI sliding_window_inference, MONAI MedNeXt, fp32, overlap {self._overlap:g}, Gaussian"

    def network(self, windows: np.ndarray) -> None:
        """Run the network on windows ``(N, C, d, h, w)``."""
        with torch.inference_mode():
            for window in torch.from_numpy(windows).split(1):
                self._network(window)

    def segment(self, files: dict[str, Path], output: Path) -> None:
        """Read, segment, write."""
        names, metadata = list(files), self._model.metadata
        before = Compose([
            LoadImaged(names, ensure_channel_first=True),
            Orientationd(names, axcodes="LPS", labels=(("R", "L"), ("A", "P"), ("I", "S"))),
            Spacingd(names, pixdim=metadata.spacing, mode="bilinear"),
            ConcatItemsd(names, name="image"),
            NormalizeIntensityd("image", nonzero=True, channel_wise=True),
        ])  # fmt: skip
        data = before({name: str(file) for name, file in files.items()})
        with torch.inference_mode():
            logits = sliding_window_inference(
                data["image"].as_tensor()[None],
                metadata.patch[::-1],
                1,
                self._logits,
                overlap=self._overlap,
                mode="gaussian",
            )
        data["inside"] = MetaTensor(logits[0].sigmoid(), meta=data["image"].meta)
        data = Invertd("inside", transform=before, orig_keys=names[0], nearest_interp=False)(data)
        mask = labels_of(data["inside"].as_tensor(), self._model)
        folder, name = output.parent, output.name.removesuffix(".nii.gz")
        save = SaveImage(folder, output_postfix="", output_ext=".nii.gz", separate_folder=False, print_log=False)
        save(MetaTensor(mask[None], affine=data["inside"].affine, meta={"filename_or_obj": name}))

    def _logits(self, windows: torch.Tensor) -> torch.Tensor:
        return self._network(windows.permute(_TO_MODEL)).permute(_TO_MODEL)
