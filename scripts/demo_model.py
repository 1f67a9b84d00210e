"""What the bundled demonstration model is: shared by the scripts that train, measure and publish it."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.contract import LabelContract

CHANNELS = ("T1", "T1c", "T2", "FLAIR")
# 2 mm keeps a whole head within reach of two CPU cores; the mask still comes out on the study's own grid.
SPACING = (2.0, 2.0, 2.0)
NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 16, "dim": 3}
# What decides how it is trained; not among the recipes that ship, which are for fine-tuning.
RECIPE = Path(__file__).with_name("demo-brain-tumour.recipe.json")
_FILES = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair"}


def shared_folder() -> Path:
    """Return the folder of shared material (``CONVNEXTSEG_SHARED``, or beside the checkout)."""
    return Path(os.environ.get("CONVNEXTSEG_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def brats_split(split: str) -> list[str]:
    """Return the names of the BraTS 2021 cases in a split."""
    return json.loads((shared_folder() / "data" / "splits.json").read_text(encoding="utf-8"))["brats2021"][split]


def contract() -> LabelContract:
    """Return the brain tumour contract."""
    with resources.as_file(resources.files("convnextseg_engine.data") / "contracts" / "brain-tumour.json") as path:
        return LabelContract.read(path)


def brats_case(name: str, channels: tuple[str, ...] = CHANNELS) -> tuple[Study, np.ndarray]:
    """Return the study and the expert mask (values 1, 2, 4 as in the contract) of a BraTS 2021 case."""
    folder = shared_folder() / "data" / "brats2021" / name
    images = {channel: sitk.ReadImage(str(folder / f"{_FILES[channel]}.nii.gz")) for channel in channels}
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "seg.nii.gz"))).astype(np.uint8)
    return Study(images, channels[0]), mask
