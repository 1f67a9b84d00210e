"""Resampling by geometry, normalisation, and the way to the network's grid and back."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.intensity import zscore_foreground
from convnextseg_engine.images.prepare import InputSpec, prepare, restore
from convnextseg_engine.images.resample import anatomical_grid, cropped_grid, resample
from convnextseg_engine.images.study import Study

SPEC = InputSpec(("T1", "T1c", "FLAIR"), (1.0, 1.0, 1.0))
CENTRE = np.array([4.0, -6.0, 8.0])  # LPS mm, of the ball that every test image shows
STRAIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)
TURNED = tuple(np.array(sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.5).GetMatrix()))


def centred_grid(size, spacing, direction=STRAIGHT) -> Grid:
    """A grid whose middle is the ball's centre."""
    step = np.array(direction).reshape(3, 3) * np.array(spacing)
    return Grid(size, spacing, tuple(CENTRE - step @ ((np.array(size) - 1) / 2)), direction)


def distances(grid: Grid) -> np.ndarray:
    """Millimetres from the ball's centre, shape ``(D, H, W)``."""
    k, j, i = np.indices(grid.shape)
    points = np.stack([i, j, k], -1) @ grid.ijk_to_lps[:3, :3].T + grid.ijk_to_lps[:3, 3]
    return np.linalg.norm(points - CENTRE, axis=-1)


def ball_image(grid: Grid, radius=9.0) -> sitk.Image:
    """Smooth ball, brightest in the middle, 0 outside."""
    return grid.image(np.maximum(0, 1000 * (1 - distances(grid) / radius)).astype(np.float32))


def centre_of(array: np.ndarray, grid: Grid) -> np.ndarray:
    """LPS centre of mass."""
    k, j, i = np.indices(array.shape)
    weights = array / array.sum()
    index = np.array([(i * weights).sum(), (j * weights).sum(), (k * weights).sum(), 1])
    return (grid.ijk_to_lps @ index)[:3]


@settings(max_examples=25, deadline=None)
@given(angles=st.tuples(*[st.floats(-3, 3)] * 3), flip=st.booleans(), spacing=st.floats(0.7, 2.0))
def test_resampling_keeps_things_where_they_are(angles, flip, spacing):
    direction = np.array(sitk.Euler3DTransform((0, 0, 0), *angles).GetMatrix()).reshape(3, 3) * [
        1,
        1,
        -1 if flip else 1,
    ]
    source = centred_grid((25, 25, 25), (1.2, 1.0, 1.1), tuple(direction.ravel()))
    target = centred_grid((36, 32, 34), (spacing, 1.0, 1.3))
    moved = sitk.GetArrayFromImage(resample(ball_image(source, 8.0), target))
    assert centre_of(moved, target) == pytest.approx(CENTRE, abs=0.1)


def test_nearest_invents_no_label():
    source = centred_grid((20, 20, 20), (1, 1, 1))
    labels = source.image(np.random.default_rng(0).choice(np.array([0, 1, 4], np.uint8), source.shape))
    moved = sitk.GetArrayFromImage(resample(labels, centred_grid((15, 15, 15), (1.3, 1.3, 1.3), TURNED), "nearest"))
    assert set(np.unique(moved)) == {0, 1, 4}


def test_anatomical_grid_covers_the_volume_and_halving_averages_whole_voxels():
    reference = Grid((10, 8, 6), (1, 1, 1), (0, 0, 0), STRAIGHT)
    coarse = anatomical_grid(reference, (2.0, 2.0, 2.0))
    assert coarse.size == (5, 4, 3)
    assert coarse.origin == (0.5, 0.5, 0.5)
    array = np.random.default_rng(0).random(reference.shape, dtype=np.float32)
    halved = sitk.GetArrayFromImage(resample(reference.image(array), coarse))
    assert halved == pytest.approx(array.reshape(3, 2, 4, 2, 5, 2).mean(axis=(1, 3, 5)), abs=1e-5)


@pytest.mark.parametrize("direction", [STRAIGHT, TURNED, (0, 0, 1, -1, 0, 0, 0, -1, 0)])
def test_anatomical_grid_contains_every_corner(direction):
    reference = centred_grid((11, 7, 5), (0.8, 1.0, 3.0), direction)
    low, high = anatomical_grid(reference, (1.0, 1.5, 2.0)).outer_box()
    wanted_low, wanted_high = reference.outer_box()
    assert np.all(low <= wanted_low + 1e-6)
    assert np.all(high >= wanted_high - 1e-6)


def test_a_cropped_grid_keeps_its_voxels_where_they_are():
    grid = centred_grid((9, 8, 7), (0.8, 1.0, 3.0), TURNED)
    part = cropped_grid(grid, (2, 3, 1), (4, 4, 5))
    assert part.ijk_to_lps @ [1, 2, 3, 1] == pytest.approx(grid.ijk_to_lps @ [3, 5, 4, 1])
    assert part.size == (4, 4, 5)


def test_the_foreground_gets_mean_0_and_deviation_1_and_the_background_stays_0():
    array = np.zeros((10, 10, 10), np.int16)
    array[2:8, 2:8, 2:8] = np.random.default_rng(0).normal(500, 60, (6, 6, 6))
    result = zscore_foreground(array)
    assert np.all(result[array == 0] == 0)
    assert result[array != 0].mean() == pytest.approx(0, abs=1e-4)
    assert result[array != 0].std() == pytest.approx(1, abs=1e-4)
    assert result.dtype == np.float32


def test_one_outlier_does_not_flatten_the_rest():
    array = np.random.default_rng(0).normal(500, 60, (12, 12, 12))
    spoiled = array.copy()
    spoiled[0, 0, 0] = 32767
    assert np.abs(zscore_foreground(spoiled) - zscore_foreground(array))[1:].max() < 0.05


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_channel_becomes_zero(value):
    assert not zscore_foreground(np.full((4, 4, 4), value)).any()


def test_nan_and_infinity_count_as_background():
    array = np.random.default_rng(0).normal(500, 60, (6, 6, 6))
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    result = zscore_foreground(array)
    assert np.isfinite(result).all()
    assert not result[0, 0, :3].any()


def test_channels_with_their_own_grids_meet_on_one_grid():
    study = Study(
        {
            "T1c": ball_image(centred_grid((30, 28, 26), (1, 1, 1), TURNED)),
            "T1": ball_image(centred_grid((28, 28, 12), (1, 1, 2.5))),
        },
        "T1c",
    )
    prepared = prepare(study, SPEC)
    assert prepared.present == ("T1", "T1c")
    assert prepared.array.shape == (3, *prepared.grid.shape)
    assert prepared.array.dtype == np.float32
    assert not prepared.array[2].any()  # FLAIR is absent
    assert prepared.grid.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    for channel in prepared.array[:2]:
        bright = np.where(channel > 1, channel, 0)
        assert centre_of(bright, prepared.grid) == pytest.approx(CENTRE, abs=0.3)


def test_the_crop_keeps_a_margin_around_the_foreground():
    study = Study({"T1": ball_image(centred_grid((61, 61, 61), (1, 1, 1)))}, "T1")
    prepared = prepare(study, SPEC)
    low, high = prepared.grid.outer_box()
    assert np.all(low <= CENTRE - 9 - 5)
    assert np.all(high >= CENTRE + 9 + 5)
    assert max(prepared.grid.size) < 40


def test_the_way_there_and_back_ends_on_the_voxels_of_the_reference():
    target = centred_grid((40, 36, 20), (0.9, 1.0, 2.0), TURNED)
    study = Study({"T1": ball_image(target)}, "T1")
    prepared = prepare(study, SPEC)
    inside = (distances(prepared.grid) < 6).astype(np.float32)
    back = restore(inside, prepared.grid, target) > 0.5
    truth = distances(target) < 6
    assert back.shape == target.shape
    assert 2 * np.count_nonzero(back & truth) / (np.count_nonzero(back) + np.count_nonzero(truth)) > 0.95


def test_nan_in_a_channel_does_not_spread():
    grid = centred_grid((20, 20, 20), (1, 1, 1))
    image = ball_image(grid)
    array = sitk.GetArrayFromImage(image)
    array[0, 0, 0] = np.nan
    prepared = prepare(Study({"T1": grid.image(array)}, "T1"), InputSpec(("T1",), (1.3, 1.3, 1.3)))
    clean = prepare(Study({"T1": image}, "T1"), InputSpec(("T1",), (1.3, 1.3, 1.3)))
    assert np.array_equal(prepared.array, clean.array)


def test_what_cannot_be_prepared_is_said_in_words():
    grid = centred_grid((10, 10, 10), (1, 1, 1))
    with pytest.raises(InputError, match="None of the study's channels"):
        prepare(Study({"CT": ball_image(grid)}, "CT"), SPEC)
    with pytest.raises(InputError, match="empty"):
        prepare(Study({"T1": grid.image(np.zeros(grid.shape, np.int16))}, "T1"), SPEC)
    with pytest.raises(InputError, match="“percentile” is not known"):
        prepare(Study({"T1": ball_image(grid)}, "T1"), InputSpec(("T1",), (1, 1, 1), "percentile"))


def test_a_channel_that_lies_elsewhere_is_refused_by_name():
    grid = centred_grid((20, 20, 20), (1, 1, 1))
    far = Grid(grid.size, grid.spacing, tuple(np.array(grid.origin) + 500), grid.direction)
    study = Study({"T1": ball_image(grid), "T1c": far.image(np.ones(far.shape, np.float32))}, "T1")
    with pytest.raises(InputError, match="channel T1c does not overlap the volume for T1") as caught:
        prepare(study, SPEC)
    assert caught.value.code == "no-overlap"


@pytest.mark.real_data
def test_an_oblique_study_meets_in_the_patient(shared_data):
    """Derived from one case, so every channel must show the same head at the same place."""
    folder = shared_data / "oblique" / "BraTS2021_01661-clinical"
    study = Study({"T1": read_image(folder / "t1.nii.gz"), "FLAIR": read_image(folder / "flair.nii.gz")}, "FLAIR")
    prepared = prepare(study, InputSpec(("T1", "FLAIR"), (3.0, 3.0, 3.0)))
    head = prepared.array != 0
    dice = 2 * np.count_nonzero(head[0] & head[1]) / (np.count_nonzero(head[0]) + np.count_nonzero(head[1]))
    assert dice > 0.9


def test_images_of_one_intensity_are_refused():
    grid = centred_grid((10, 10, 10), (2, 2, 2))
    study = Study({name: grid.image(np.full(grid.shape, 7, np.int16)) for name in ("T1", "T1c")}, "T1")
    with pytest.raises(InputError, match="show nothing"):
        prepare(study, SPEC)


@pytest.mark.parametrize("spacing", [1e3, 1e-3])
def test_a_header_that_does_not_count_in_millimetres_is_refused(spacing):
    """Otherwise a grid of kilometres asks for terabytes, and one of micrometres vanishes in a single voxel."""
    image = ball_image(centred_grid((20, 20, 20), (1, 1, 1)))
    image.SetSpacing((spacing,) * 3)
    with pytest.raises(InputError, match="mm long"):
        prepare(Study({"T1": image}, "T1"), SPEC)
