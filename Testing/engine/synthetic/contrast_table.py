"""Mean z-scores per label in real and synthetic cases: the table in docs/synthetic-brains.md.

Run by hand, with the folder of the real images:

    PYTHONPATH=ConvNeXtSeg python Testing/engine/synthetic/contrast_table.py ../shared/data
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.intensity import zscore_foreground
from convnextseg_engine.images.resample import anatomical_grid, resample
from convnextseg_engine.synthetic.brain import SyntheticCase, synthetic_case

FILES = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair"}
LABELS = {1: "core", 2: "edema", 4: "enhancing"}
_FEWEST_VOXELS = 30

Means = dict[str, dict[int, float]]  # channel, then label


def real_means(folder: Path, spacing_mm: float) -> Means:
    """Measure one BraTS case at an isotropic spacing."""
    truth = sitk.ReadImage(str(folder / "seg.nii.gz"))
    grid = anatomical_grid(Grid.from_image(truth), (spacing_mm,) * 3)
    mask = sitk.GetArrayFromImage(resample(truth, grid, "nearest")).astype(np.uint8)
    images = {name: resample(sitk.ReadImage(str(folder / f"{file}.nii.gz")), grid) for name, file in FILES.items()}
    return _means(images, mask)


def synthetic_means(case: SyntheticCase) -> Means:
    """Measure one synthetic case."""
    return _means(case.study.channels, case.mask)


def real_training_cases(data: Path) -> list[Path]:
    """Folders of the BraTS cases in the split ``train``."""
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    return [data / "brats2021" / case for case in splits["brats2021"]["train"]]


def ranges(cases: Iterable[Means]) -> dict[tuple[str, int], tuple[float, float]]:
    """Lowest and highest mean over the cases, by channel and label."""
    found: dict[tuple[str, int], list[float]] = {}
    for case in cases:
        for channel, means in case.items():
            for label, mean in means.items():
                found.setdefault((channel, label), []).append(mean)
    return {key: (min(values), max(values)) for key, values in found.items()}


def _means(images: dict[str, sitk.Image], mask: np.ndarray) -> Means:
    result = {}
    for name, image in images.items():
        z = zscore_foreground(sitk.GetArrayFromImage(image))
        result[name] = {v: float(z[mask == v].mean()) for v in LABELS if (mask == v).sum() > _FEWEST_VOXELS}
    return result


def main(data: Path) -> None:
    real = ranges(real_means(folder, 1.5) for folder in real_training_cases(data))
    made = ranges(synthetic_means(synthetic_case(seed)) for seed in range(60))
    print("| label | " + " | ".join(f"{name} real | {name} synthetic" for name in FILES) + " |")
    print("|---|" + "---|" * (2 * len(FILES)))
    for label, word in LABELS.items():
        cells = [f"{low:.1f} … {high:.1f}" for name in FILES for low, high in (real[name, label], made[name, label])]
        print(f"| {word} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
