"""A few hippocampus cases of the shared images as a case set; see the README beside the images for the source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.case_set import CaseSet
from convnextseg_engine.labels.contract import Code, Label, LabelContract, exclusive_contract

_TISSUE = Code("SCT", "85756007", "Tissue")


def hippocampus_contract() -> LabelContract:
    """Return anterior = 1 and posterior = 2, which exclude each other."""
    codes = {"anterior": Code("99CNX", "hippocampus-anterior", "Anterior hippocampus"),
             "posterior": Code("99CNX", "hippocampus-posterior", "Posterior hippocampus")}  # fmt: skip
    return exclusive_contract(
        tuple(
            Label(name, value, _TISSUE, code, None, (1.0, value / 2, 0.0))
            for value, (name, code) in enumerate(codes.items(), 1)
        )
    )


def hippocampus_set(data: Path, folder: Path, counts: dict[str, int]) -> CaseSet:
    """Make a case set from the first cases of each split of ``splits.json``."""
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))["hippocampus"]
    cases = CaseSet.create(folder, hippocampus_contract())
    for split, count in counts.items():
        for name in sorted(splits[split])[:count]:
            (image,) = (data / "hippocampus" / "images").glob(f"{name}*")
            (label,) = (data / "hippocampus" / "labels").glob(f"{name}*")
            mask = sitk.GetArrayFromImage(read_image(label)).astype(np.uint8)
            cases.add(name.split(".")[0], Study({"T1": read_image(image)}, "T1"), mask, split)
    return cases
