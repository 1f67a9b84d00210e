"""On a real case, the slices to look at first hold the errors; the order by largest area does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.store import ModelStore

_CASE = "BraTS2021_01660"
_FILES = {"T1": "t1", "T1c": "t1ce", "T2": "t2", "FLAIR": "flair"}
_SLICES = 10


@pytest.mark.real_data
@pytest.mark.slow
def test_ten_suggested_slices_hold_more_errors_than_random_and_than_largest_ones(shared_data: Path) -> None:
    folder = shared_data / "brats2021" / _CASE
    study = Study({name: read_image(folder / f"{file}.nii.gz") for name, file in _FILES.items()}, "T1")
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "seg.nii.gz")))
    result = segment(
        study, load(ModelStore().open("demo-brain-tumour"), "cpu"), options=SegmentOptions(uncertainty=True)
    )
    assert result.uncertainty.calibrated

    wrong = np.count_nonzero(result.mask != truth, axis=(1, 2))
    random = _SLICES * wrong[(truth > 0).any(axis=(1, 2))].mean()
    suggested = wrong[[one.index for one in result.uncertainty.slices]].sum()
    largest = wrong[np.argsort(-np.count_nonzero(result.mask, axis=(1, 2)))[:_SLICES]].sum()
    assert suggested >= 1.5 * random
    assert suggested > largest
