"""The mask lies where the tumour lies in the patient, on the grid that the user chose."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.folder import ModelFolder
from engine.inference.tiny_model import (
    FormulaBackend,
    ball,
    centroid,
    dice,
    head,
    loaded_with,
    rotation,
    thresholds,
)

CENTER = (14.0, -9.0, 6.0)
RADIUS = 12.0
# Tissue is 100 and the tumour, 2.7 % of it, 400: the mean is 108 and the deviation 49, so half-way (250) is 2.9 above;
# 3.2 keeps clear of voxels that interpolation puts at exactly half-way.
BRIGHT = thresholds(1, 3.2, 50.0, 50.0)


def _grid(size: tuple, spacing: tuple, direction: tuple) -> Grid:
    matrix = np.array(direction).reshape(3, 3)
    origin = -matrix @ ((np.array(size) - 1) / 2 * np.array(spacing)) + np.array([2.0, -1.0, 3.0])
    return Grid(size, spacing, tuple(origin), direction)


GRIDS = {
    "axial": _grid((90, 90, 90), (1.0, 1.0, 1.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)),
    "oblique": _grid((92, 84, 44), (1.0, 1.1, 2.2), rotation(25, -18, 40)),
    "sagittal": _grid((90, 88, 30), (1.0, 1.0, 3.1), (0, 0, 1, 1, 0, 0, 0, -1, 0)),
    "left-handed": _grid((80, 80, 80), (1.2, 1.2, 1.2), (-1, 0, 0, 0, 1, 0, 0, 0, 1)),
}


@pytest.mark.parametrize("reference", GRIDS)
@pytest.mark.parametrize("seen_on", ["axial", "oblique"])
def test_the_mask_is_at_the_tumours_place_whatever_the_grids(
    tiny_model: ModelFolder, reference: str, seen_on: str
) -> None:
    # Only T1c shows the tumour; the result belongs to T1, whose grid is another one.
    study = Study(
        {
            "T1": head(GRIDS[reference], CENTER, RADIUS, brightness=100),
            "T1c": head(GRIDS[seen_on], CENTER, RADIUS, brightness=400),
        },
        "T1",
    )
    result = segment(study, loaded_with(tiny_model, FormulaBackend(BRIGHT)))
    assert result.grid == GRIDS[reference]
    assert result.mask.shape == GRIDS[reference].shape
    inside = result.mask == result.contract.label("edema").value
    assert np.array_equal(inside, result.mask != 0)
    assert np.linalg.norm(centroid(inside, result.grid) - CENTER) < 0.6
    assert dice(inside, ball(result.grid, CENTER, RADIUS)) > 0.9
    volume = np.count_nonzero(ball(result.grid, CENTER, RADIUS)) * result.grid.voxel_ml
    assert result.volumes_ml["edema"] == pytest.approx(volume, rel=0.1)


def test_volumes_count_labels_once_and_regions_as_their_union(tiny_model: ModelFolder) -> None:
    grid = GRIDS["axial"]
    array = sitk.GetArrayFromImage(head(grid, CENTER, RADIUS, 400))
    array[ball(grid, CENTER, 10)] = 600
    array[ball(grid, CENTER, 8)] = 900
    backend = FormulaBackend(thresholds(0, 1.5, 4.3, 7.1))
    result = segment(Study({"T1": grid.image(array)}, "T1"), loaded_with(tiny_model, backend), keep_probabilities=True)
    volumes = result.volumes_ml
    assert min(volumes["edema"], volumes["core"], volumes["enhancing"]) > 0.1
    assert volumes["whole tumour"] == pytest.approx(volumes["edema"] + volumes["core"] + volumes["enhancing"])
    assert volumes["tumour core"] == pytest.approx(volumes["core"] + volumes["enhancing"])
    assert volumes["whole tumour"] == pytest.approx(np.count_nonzero(result.mask) / 1000)
    assert result.probabilities.shape == (3, *grid.shape)
    assert np.array_equal(result.probabilities[0] > 0.5, result.mask != 0)


def test_a_finer_network_grid_than_the_image_changes_nothing_but_sharpness(tiny_model: ModelFolder) -> None:
    study = Study({"T1c": head(GRIDS["oblique"], CENTER, RADIUS, 400)}, "T1c")
    coarse, fine = (
        segment(study, loaded_with(tiny_model, FormulaBackend(BRIGHT), spacing)).mask != 0 for spacing in (2.0, 1.0)
    )
    assert dice(coarse, fine) > 0.93
