"""The faint rim that interpolation leaves around a stripped image is background; faint tissue inside is not."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.intensity import zscore_foreground
from convnextseg_engine.images.resample import resample
from convnextseg_engine.images.traces import without_traces

SHAPE = (40, 40, 40)


def brain(radius: float = 15.0) -> np.ndarray:
    """Noisy tissue with a ventricle that is nearly black, and nothing around it."""
    distance = np.linalg.norm(np.indices(SHAPE) - 19.5, axis=0)
    tissue = np.random.default_rng(0).normal(800, 60, SHAPE).astype(np.float32)
    tissue[distance < 4] = 30
    return np.where(distance < radius, tissue, 0).astype(np.float32)


def test_a_sharp_image_is_left_as_it_is() -> None:
    image = brain()
    assert without_traces(image) is not None
    assert np.array_equal(without_traces(image), image), "the ventricle is faint, but inside"
    full = np.full(SHAPE, 7.0, np.float32)
    assert without_traces(full) is full


def test_half_the_resolution_keeps_every_voxel_that_tissue_was_averaged_into() -> None:
    sharp = Grid((40, 40, 40), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    flat = np.where(brain() > 0, 800, 0).astype(np.float32)
    half = sitk.GetArrayFromImage(resample(sharp.image(flat), Grid((20,) * 3, (2,) * 3, (0.5,) * 3, sharp.direction)))
    assert np.array_equal(without_traces(half), half)


def test_the_rim_of_an_interpolated_image_goes_and_normalising_stays_as_it_was() -> None:
    image = brain()
    rim = (image == 0) & (np.linalg.norm(np.indices(SHAPE) - 19.5, axis=0) < 18)
    faded = np.where(rim, np.random.default_rng(1).uniform(1, 60, SHAPE), image).astype(np.float32)
    assert np.array_equal(without_traces(faded), image)
    assert np.array_equal(zscore_foreground(faded), zscore_foreground(image))


@pytest.mark.parametrize("image", [brain() - 1000, np.zeros(SHAPE, np.float32)], ids=["Hounsfield units", "empty"])
def test_where_faint_means_nothing_nothing_is_done(image: np.ndarray) -> None:
    assert np.array_equal(without_traces(image), image)


def test_small_negative_values_of_a_sharper_interpolation_belong_to_the_rim() -> None:
    image = brain()
    image[:, :, 0] = -12
    image[0] = 9
    assert np.array_equal(without_traces(image), brain())
