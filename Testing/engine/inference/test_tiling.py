"""Windows lie where nnU-Net puts them, and their weights add up to what is divided by."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convnextseg_engine.inference.gaussian import axis_sums, window_weights
from convnextseg_engine.inference.tiling import Tiling

_EXTENTS = st.tuples(*(st.integers(1, 70) for _ in range(3)))


@pytest.mark.parametrize(
    ("extent", "patch", "overlap", "expected"),
    [
        # Worked out by hand from nnU-Net's rule: count = ceil((extent - patch) / (patch * step)) + 1, evenly spread.
        (64, 64, 0.5, [0]), (65, 64, 0.5, [0, 1]), (96, 64, 0.5, [0, 32]), (97, 64, 0.5, [0, 16, 33]),
        (160, 64, 0.5, [0, 32, 64, 96]), (100, 64, 0.25, [0, 36]), (113, 64, 0.25, [0, 24, 49]), (40, 64, 0.5, [0]),
        (4, 1, 0.5, [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_windows_begin_where_the_rule_says(extent: int, patch: int, overlap: float, expected: list[int]) -> None:
    tiling = Tiling((extent, 64, 64), (patch, 64, 64), overlap)
    assert [start[0] for start in tiling.starts] == expected


@settings(max_examples=60, deadline=None)
@given(shape=_EXTENTS, patch=st.tuples(*(st.sampled_from((1, 8, 16, 33)) for _ in range(3))), overlap=st.floats(0, 0.9))
def test_every_voxel_is_seen_and_no_window_leaves_the_input(shape: tuple, patch: tuple, overlap: float) -> None:
    tiling = Tiling(shape, patch, overlap)
    for extent, size, starts in zip(tiling.padded, patch, tiling.axis_starts, strict=True):
        assert starts[0] == 0
        assert starts[-1] + size == extent
        steps = np.diff(starts)
        assert (steps <= (1 if size == 1 else math.ceil(size * (1 - overlap)))).all()
    padded = tiling.pad(np.ones((1, *shape), dtype=np.float32))
    assert padded.shape[1:] == tiling.padded
    assert padded.sum() == math.prod(shape)
    assert padded[(0, *tiling.inside)].all()


@pytest.mark.parametrize(("shape", "patch"), [((20, 50, 33), (16, 24, 32)), ((7, 40, 40), (1, 32, 32))])
def test_the_sum_of_all_weights_is_the_product_of_three_vectors(shape: tuple, patch: tuple) -> None:
    tiling = Tiling(shape, patch)
    total, weights = torch.zeros(tiling.padded), window_weights(patch)
    for start in tiling.starts:
        total[tiling.window(start)] += weights
    d, h, w = axis_sums(tiling)
    torch.testing.assert_close(d[:, None, None] * h[:, None] * w, total, rtol=1e-5, atol=0)
    assert weights.max() == 1
    assert weights[tuple(n // 2 for n in patch)] == 1
    assert weights.min() > 0


def test_an_overlap_that_never_ends_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        Tiling((8, 8, 8), (4, 4, 4), 1.0)
