"""The real cases that are measured on, and what is cut out of them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.prepare import prepare
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.tiling import Tiling
from convnextseg_engine.models.folder import ModelFolder

_FILES = {"T1": "t1.nii.gz", "T1c": "t1ce.nii.gz", "T2": "t2.nii.gz", "FLAIR": "flair.nii.gz"}


@dataclass(frozen=True)
class RealCase:
    """A BraTS 2021 case: its channels' files and the expert's mask."""

    name: str
    files: dict[str, Path]
    truth: Path


def real_cases(count: int) -> list[RealCase]:
    """Return cases of the shared folder, those that the bundled model has never seen first.

    Raises:
        SystemExit: If the folder is not there; the message says how to name it.
    """
    shared = Path(os.environ.get("CONVNEXTSEG_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "data"
    if not (shared / "splits.json").is_file():
        raise SystemExit(
            f"There are no real cases in {shared}. Set CONVNEXTSEG_SHARED to the folder that holds “data”."
        )
    split = json.loads((shared / "splits.json").read_text(encoding="utf-8"))["brats2021"]
    names = [*split["test"], *split["validation"], *split["train"]][:count]
    return [_case(shared / "brats2021" / name) for name in names]


def _case(folder: Path) -> RealCase:
    return RealCase(folder.name, {channel: folder / file for channel, file in _FILES.items()}, folder / "seg.nii.gz")


def write_windows(case: RealCase, model: ModelFolder, count: int, file: Path) -> None:
    """Write the first ``count`` windows of a prepared case, float32 ``(N, C, d, h, w)``, as ``.npy``."""
    study = Study({name: read_image(path) for name, path in case.files.items()}, next(iter(case.files)))
    array = prepare(study, model.input_spec).array
    tiling = Tiling(array.shape[1:], model.metadata.patch)
    array = tiling.pad(array)
    np.save(file, np.stack([array[(slice(None), *tiling.window(start))] for start in tiling.starts[:count]]))


def write_part(case: RealCase, share: float, folder: Path) -> tuple[dict[str, Path], int]:
    """Write the middle of a case, ``share`` of each axis, and return its files and its number of voxels."""
    files, voxels = {}, 0
    for name, path in case.files.items():
        image = read_image(path)
        size = [max(8, round(n * share)) for n in image.GetSize()]
        start = [(n - m) // 2 for n, m in zip(image.GetSize(), size, strict=True)]
        files[name] = folder / f"{name}.nii.gz"
        sitk.WriteImage(sitk.RegionOfInterest(image, size, start), str(files[name]))
        voxels = int(np.prod(size))
    return files, voxels
