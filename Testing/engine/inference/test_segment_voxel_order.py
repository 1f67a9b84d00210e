"""A left-handed file and the same image as Slicer turns it round give the same mask, voxel for voxel."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.folder import ModelFolder
from engine.inference.tiny_model import FormulaBackend, loaded_with, rotation, thresholds


def test_the_order_of_slices_changes_nothing_in_the_patient(tiny_model: ModelFolder) -> None:
    direction = np.array(rotation(21, -13, 34)).reshape(3, 3) * [1, 1, -1]
    grid = Grid((40, 36, 30), (1.7, 1.9, 2.3), (-31.7, 12.9, 70.1), tuple(direction.ravel()))
    noise = np.random.default_rng(3).normal(100, 30, grid.shape).astype(np.float32)  # thresholds everywhere
    image = grid.image(noise)
    turned = sitk.Flip(image, [False, False, True], False)
    loaded = loaded_with(tiny_model, FormulaBackend(thresholds(0, 0.0, 0.5, 1.0)))
    first, second = (segment(Study({"T1": i}, "T1"), loaded, keep_probabilities=True) for i in (image, turned))
    assert first.grid == grid
    assert second.grid == Grid.from_image(turned)
    assert len(np.unique(first.mask)) == 4
    assert np.array_equal(first.mask, second.mask[::-1])
    assert np.array_equal(first.probabilities, second.probabilities[:, ::-1])
    assert first.volumes_ml == second.volumes_ml
