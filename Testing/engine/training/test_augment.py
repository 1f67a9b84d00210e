"""Warps, more flips and lost resolution: off unless a recipe asks, regions with the image, nothing across a slice."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from convnextseg_engine.errors import InputError
from convnextseg_engine.training.augment import Augmenter
from convnextseg_engine.training.recipe import Augmentation, Recipe, read_recipe, recipe_names
from convnextseg_engine.training.warp import Warp

PATCH = (32, 24, 40)
NOTHING = Augmentation(*([0.0] * 9))
LATER = ("flip_other_axes", "elastic", "low_resolution")


def _positions(patch: tuple[int, int, int]) -> np.ndarray:
    """An image whose three channels are the positions along D, H, W, from 1 on so that none is background."""
    return np.stack(np.meshgrid(*(np.arange(1.0, n + 1) for n in patch), indexing="ij")).astype(np.float32)


def _augmented(settings: Augmentation, patch: tuple[int, int, int], image: np.ndarray, seed: int) -> list[np.ndarray]:
    both = Augmenter(settings, patch)(image, image[:1] > patch[0] / 2, np.random.default_rng(seed))
    return [part.numpy() for part in both]


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_that_do_not_ask_for_them_stay_as_they_were(name: str) -> None:
    recipe = read_recipe(name)
    if not any(getattr(recipe.augmentation, entry) for entry in LATER):
        assert not set(recipe.decisive()["augmentation"]) & set(LATER)  # interrupted runs of before can be resumed
        assert all(entry.name in recipe.decisive()["augmentation"] for entry in fields(Augmentation)[:9])


def test_a_recipe_that_asks_for_them_is_another_recipe() -> None:
    adapt = read_recipe("adapt")
    deciding = {json.dumps(adapt.decisive())}
    for entry in LATER:
        changed = replace(adapt, augmentation=replace(adapt.augmentation, **{entry: 0.05}))
        assert Recipe.from_dict(changed.to_dict()) == changed
        deciding.add(json.dumps(changed.decisive()))
        with pytest.raises(InputError, match=f"“{entry}” must be at least 0"):
            replace(adapt, augmentation=replace(adapt.augmentation, **{entry: 1.5}))
    assert len(deciding) == 4


@pytest.mark.parametrize("patch", [PATCH, (1, 32, 24), (32, 1, 24), (32, 24, 1)])
def test_a_warp_shifts_by_no_more_than_was_asked_and_smoothly(patch: tuple[int, int, int]) -> None:
    image = _positions(patch)
    moved_at_all = 0
    for seed in range(30):
        warped, _ = _augmented(replace(NOTHING, elastic=0.05), patch, image, seed)
        assert warped.shape == image.shape
        shift = warped - image
        # Near the border the zeros around the sample are mixed in, so the middle is looked at.
        middle = (slice(None), *(slice(n // 6, n - n // 6) if n > 1 else slice(None) for n in patch))
        moved_at_all += bool(np.abs(shift[middle]).max() > 0.05)
        for axis, extent in enumerate(patch):
            assert np.abs(shift[middle][axis]).max() <= (0.05 * extent if extent > 1 else 0.0) + 1e-3
            if extent > 1:  # along its own axis the position still rises: nothing is folded over
                assert (np.diff(warped[middle][axis], axis=axis) > 0).all()
    assert 2 <= moved_at_all <= 14  # a fifth of 30


@pytest.mark.parametrize("patch", [PATCH, (32, 1, 24)])
def test_the_regions_are_warped_with_the_image(patch: tuple[int, int, int]) -> None:
    image = _positions(patch)
    middle = (slice(None), *(slice(n // 6, n - n // 6) if n > 1 else slice(None) for n in patch))
    warped_apart, not_warped = 0.0, 0.0
    for seed in range(30):
        warped, regions = _augmented(replace(NOTHING, elastic=0.15), patch, image, seed)
        found, truth, before = (part[middle] > patch[0] / 2 for part in (regions * patch[0], warped[:1], image[:1]))
        warped_apart += np.mean(found != truth)
        not_warped += np.mean(before != truth)
    assert not_warped > 0.1
    assert warped_apart < 0.4 * not_warped  # what is left is the rounding of regions to whole voxels


def test_a_warp_is_the_same_again_from_the_same_seed() -> None:
    image = torch.from_numpy(_positions(PATCH))

    def warped(seed: int) -> torch.Tensor:
        warp = Warp(0.1, PATCH)
        warp.set_random_state(seed=seed)
        return torch.stack([warp({"image": image, "regions": image[:1]})["image"] for _ in range(8)])

    torch.testing.assert_close(warped(3), warped(3), rtol=0, atol=0)
    assert not torch.equal(warped(3), warped(4))


def test_flips_of_the_other_axes_leave_left_and_right() -> None:
    image = _positions(PATCH)
    flipped, regions = _augmented(replace(NOTHING, flip_other_axes=1.0), PATCH, image, 0)
    np.testing.assert_allclose(flipped, image[:, ::-1, ::-1], atol=1e-4)
    np.testing.assert_array_equal(regions > 0.5, image[:1, ::-1, ::-1] > PATCH[0] / 2)
    flat = (1, 24, 40)
    flipped, _ = _augmented(replace(NOTHING, flip_other_axes=1.0), flat, _positions(flat), 0)
    np.testing.assert_allclose(flipped, _positions(flat)[:, :, ::-1], atol=1e-4)


@pytest.mark.parametrize("patch", [PATCH, (1, 32, 24)])
def test_resolution_is_lost_in_images_only_and_the_mean_stays(patch: tuple[int, int, int]) -> None:
    image = np.random.default_rng(1).normal(5, 1, (2, *patch)).astype(np.float32)
    roughness = []
    for seed in range(40):
        coarse, regions = _augmented(replace(NOTHING, low_resolution=0.5), patch, image, seed)
        np.testing.assert_array_equal(regions > 0.5, image[:1] > patch[0] / 2)
        assert coarse.mean() == pytest.approx(image.mean(), abs=0.1)
        roughness.append(np.abs(np.diff(coarse, axis=-1)).mean() / np.abs(np.diff(image, axis=-1)).mean())
    lost = np.array(roughness) < 0.95
    assert 3 <= lost.sum() <= 18  # a quarter of 40
    np.testing.assert_allclose(np.array(roughness)[~lost], 1.0, atol=1e-3)


def test_the_warped_recipe_ships_and_is_scratch_with_warps_and_early_stopping() -> None:
    warped, scratch = read_recipe("warped"), read_recipe("scratch")
    assert warped.augmentation == replace(scratch.augmentation, elastic=0.05, low_resolution=0.5)
    assert "warped" in recipe_names("scratch")
    assert warped.steps >= 100 * 250
    assert warped.patience > 0
