"""Small islands are left out by their volume, and what is around them takes their place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convnextseg_engine.inference.components import without_small_components
from convnextseg_engine.labels.contract import EXCLUSIVE, ORDERED, LabelContract, Region
from engine.inference.tiny_model import CONTRACT

NESTED = LabelContract.read(CONTRACT)  # edema 2, core 1, enhancing 4
_VOXEL_ML = 0.001


def _mask() -> np.ndarray:
    mask = np.zeros((30, 30, 30), dtype=np.uint8)
    mask[2:22, 2:22, 2:22] = 2
    mask[4:14, 4:14, 4:14] = 1
    mask[5:9, 5:9, 5:9] = 4  # 64 voxels, the larger enhancing part
    mask[11, 11, 11:13] = 4  # 2 voxels within the core
    mask[18, 18, 18] = 4  # 1 voxel within the edema
    mask[27, 27, 24:28] = 2  # 4 voxels outside everything
    return mask


def test_islands_below_the_threshold_take_the_label_around_them() -> None:
    mask = _mask()
    before = mask.copy()
    found, left_out = without_small_components(mask, NESTED, _VOXEL_ML, 0.003)
    expected = before.copy()
    expected[11, 11, 11:13] = 1
    expected[18, 18, 18] = 2
    assert np.array_equal(found, expected)
    # The single voxel in the edema is an island of the tumour core, and then none of the enhancing tumour any more.
    assert left_out == 2
    assert np.array_equal(mask, before)


@pytest.mark.parametrize(("smallest", "stays"), [(0.004, True), (0.0040001, False)])
def test_the_threshold_itself_stays(smallest: float, stays: bool) -> None:
    found, _ = without_small_components(_mask(), NESTED, _VOXEL_ML, smallest)
    assert bool(found[27].any()) == stays


def test_corners_touch() -> None:
    mask = np.zeros((9, 9, 9), dtype=np.uint8)
    mask[range(6), range(6), range(6)] = 2
    found, left_out = without_small_components(mask, NESTED, _VOXEL_ML, 0.006)
    assert (left_out, np.count_nonzero(found)) == (0, 6)


def test_nothing_is_left_out_unless_asked() -> None:
    for smallest in (0.0, 0.001):
        found, left_out = without_small_components(_mask(), NESTED, _VOXEL_ML, smallest)
        assert left_out == 0
        assert np.array_equal(found, _mask())
    empty, left_out = without_small_components(np.zeros((4, 4, 4), np.uint8), NESTED, _VOXEL_ML, 5.0)
    assert left_out == 0
    assert not empty.any()


def test_labels_that_exclude_each_other_leave_background() -> None:
    regions = tuple(Region(label.name, (label.name,)) for label in NESTED.labels)
    contract = LabelContract(NESTED.labels, regions, EXCLUSIVE)
    found, left_out = without_small_components(_mask(), contract, _VOXEL_ML, 0.003)
    assert found[18, 18, 18] == 0
    assert not found[11, 11, 11:13].any()
    assert left_out == 2


def test_ordered_regions_leave_what_the_region_around_them_writes() -> None:
    regions = tuple(
        replace(region, writes=name)
        for region, name in zip(NESTED.regions, ("edema", "core", "enhancing"), strict=True)
    )
    contract = LabelContract(NESTED.labels, regions, ORDERED)
    ordered, _ = without_small_components(_mask(), contract, _VOXEL_ML, 0.003)
    nested, _ = without_small_components(_mask(), NESTED, _VOXEL_ML, 0.003)
    assert np.array_equal(ordered, nested)
