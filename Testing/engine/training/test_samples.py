"""Samples: patches show the right place, depend on seed and step only, and keep background and absent channels at 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.nnunet.preparation import IntensityRule, Preparation, ResamplingRule
from convnextseg_engine.images.prepare import InputSpec
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.synthetic.brain import synthetic_case
from convnextseg_engine.training.augment import Augmenter
from convnextseg_engine.training.ranks import Ranks
from convnextseg_engine.training.recipe import Augmentation, Recipe, read_recipe
from convnextseg_engine.training.samples import PatchSource, TrainingCase, training_case

PATCH = (32, 32, 32)
NOTHING = Augmentation(*([0.0] * 9))
SPEC = InputSpec(("T1", "T1c", "T2", "FLAIR"), (4.0, 4.0, 4.0))


@pytest.fixture(scope="module")
def case(contract: LabelContract) -> TrainingCase:
    made = synthetic_case(7, size=(32, 36, 32), spacing=(4.5, 4.5, 4.5))
    return training_case(made.study, made.mask, contract, SPEC)


def test_regions_keep_their_volume_on_the_networks_grid(contract: LabelContract) -> None:
    made = synthetic_case(7, size=(96, 112, 96), spacing=(1.5, 1.5, 1.5))
    case = training_case(made.study, made.mask, contract, InputSpec(SPEC.channels, (2.0, 2.0, 2.0)))
    truth_ml = np.count_nonzero(made.mask) * 1.5**3 / 1000
    assert case.regions[0].sum() * 8 / 1000 == pytest.approx(truth_ml, rel=0.05)
    assert (case.regions[1] <= case.regions[0]).all()
    assert (case.regions[2] <= case.regions[1]).all()


def test_without_augmentation_image_and_regions_stay_together(contract: LabelContract) -> None:
    # A cube that is the only bright thing is its own truth: wherever a patch is cut, the two must agree.
    shape = (40, 44, 48)
    mask = np.zeros(shape, np.uint8)
    mask[10:22, 20:30, 8:20] = 4
    image = 1.0 + 10.0 * (mask > 0)
    made = synthetic_case(7, size=shape[::-1], spacing=(4.0, 4.0, 4.0))
    grid = made.study.reference_grid
    cube = training_case(Study({"T1": grid.image(image.astype(np.float32))}, "T1"), mask, contract, SPEC)
    recipe = _recipe(foreground_fraction=1.0)
    for step in range(6):
        images, regions = PatchSource([cube], recipe, PATCH).batch(step)
        assert regions[0, 0].sum() > 0
        torch.testing.assert_close((images[0, 0] > 1).float(), regions[0, 0])


def test_a_step_gives_the_same_batch_again_and_another_step_another(case: TrainingCase, recipe: Recipe) -> None:
    first, again = (PatchSource([case], recipe, PATCH) for _ in range(2))
    second_run = dict(again.prefetched(2, 3))
    torch.testing.assert_close(first.batch(3), second_run[3], rtol=0, atol=0)
    assert not torch.equal(first.batch(2)[0], first.batch(3)[0])


def test_background_and_absent_channels_stay_zero_under_augmentation(case: TrainingCase) -> None:
    strong = replace(NOTHING, brightness=0.5, noise=0.5, contrast=0.5)
    image = case.image[:, :32, :32, :32].copy()
    image[2] = 0
    result, _ = Augmenter(strong, PATCH)(image, case.regions[:, :32, :32, :32], np.random.default_rng(0))
    background = torch.from_numpy(~(image != 0).any(axis=0))
    assert torch.count_nonzero(result[2]) == 0
    assert background.any()
    assert torch.count_nonzero(result[:, background]) == 0


def test_channel_dropout_hides_channels_but_never_all(case: TrainingCase) -> None:
    augmenter = Augmenter(replace(NOTHING, channel_dropout=0.9), PATCH)
    shown = []
    for seed in range(20):
        image, _ = augmenter(case.image[:, :32, :32, :32], case.regions[:, :32, :32, :32], np.random.default_rng(seed))
        shown.append(tuple((image != 0).flatten(1).any(1).tolist()))
    assert all(any(channels) for channels in shown)
    assert len(set(shown)) > 3


def test_flipping_changes_left_and_right_only(case: TrainingCase) -> None:
    augmenter = Augmenter(replace(NOTHING, flip=1.0), PATCH)
    image, regions = case.image[:, :32, :32, :32], case.regions[:, :32, :32, :32]
    flipped, flipped_regions = augmenter(image, regions, np.random.default_rng(0))
    np.testing.assert_allclose(flipped.numpy()[..., ::-1], image, atol=1e-5)
    np.testing.assert_array_equal(flipped_regions.numpy()[..., ::-1] > 0.5, regions)


def test_synthetic_cases_are_mixed_in_and_made_once(case: TrainingCase) -> None:
    made = []

    def synthetic(number: int) -> TrainingCase:
        made.append(number)
        return case

    source = PatchSource([case], _recipe(synthetic_fraction=0.5, synthetic_cases=3), PATCH, synthetic)
    for step in range(20):
        source.batch(step)
    assert len(made) == len(set(made)) <= 3
    assert made


def _recipe(**changes) -> Recipe:
    return replace(read_recipe("adapt"), augmentation=NOTHING, **({"synthetic_fraction": 0.0} | changes))


def test_a_slice_moves_and_blurs_within_itself_only(case: TrainingCase) -> None:
    strong = replace(
        NOTHING, rotate_degrees=40.0, scale=0.3, flip=0.5, noise=0.0, blur_voxels=1.0, contrast=0.0, brightness=0.0
    )
    for axis in range(3):
        patch = tuple(1 if a == axis else 32 for a in range(3))
        cut = tuple(1 if a == axis else 40 for a in range(3))
        image = np.ones((1, *cut), dtype=np.float32)
        regions = np.ones((1, *cut), dtype=bool)
        for seed in range(5):
            moved, truth = Augmenter(strong, patch)(image, regions, np.random.default_rng(seed))
            assert moved.shape[1:] == truth.shape[1:] == patch
            # The middle of a constant slice stays as it is; a turn or a blur across it would bring in the zeros beside.
            middle = tuple(0 if a == axis else slice(10, 22) for a in range(3))
            assert torch.allclose(moved[0][middle], torch.ones(12, 12), atol=1e-3)
            assert torch.all(truth[0][middle] == 1)


def test_slices_of_a_case_are_drawn_along_the_thin_axis(case: TrainingCase) -> None:
    patch = (1, 32, 32)
    source = PatchSource([case], _recipe(batch_size=2), patch)
    images, regions = source.batch(0)
    assert images.shape == (2, 4, *patch)
    assert regions.shape == (2, 3, *patch)
    plain = PatchSource([case], replace(_recipe(), augmentation=NOTHING), patch)
    drawn = plain.batch(3)[0][0]
    planes = [np.abs(case.image[:, k]).sum() for k in range(case.image.shape[1])]
    assert float(drawn.abs().sum()) <= max(planes) * 1.001
    assert float(drawn.abs().sum()) > 0


def test_processes_draw_what_one_accumulates(case: TrainingCase) -> None:
    alone = PatchSource([case], _recipe(batch_size=1, accumulate=2), PATCH)
    pair = [PatchSource([case], _recipe(batch_size=1), PATCH, ranks=Ranks(rank, 2)) for rank in range(2)]
    for part, source in enumerate(pair):
        torch.testing.assert_close(alone.batch(4, part), source.batch(4), rtol=0, atol=0)
    assert not torch.equal(alone.batch(4, 0)[0], alone.batch(4, 1)[0])
    steps = [step for step, _ in alone.prefetched(1, 2)]
    assert steps == [1, 1, 2, 2]


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_truth_follows_the_image_through_another_programs_preparation(contract: LabelContract, axes: tuple) -> None:
    # The cube that is the only bright thing, on an oblique grid whose slices are thick, in nnU-Net's order of axes.
    shape = (16, 44, 40)
    mask = np.zeros(shape, np.uint8)
    mask[5:11, 20:30, 8:20] = 4
    tilted = (0.96, 0.28, 0.0, -0.28, 0.96, 0.0, 0.0, 0.0, 1.0)
    grid = Grid(shape[::-1], (1.0, 1.2, 3.0), (5.0, -7.0, 11.0), tilted)
    study = Study({"T1": grid.image((1.0 + 10.0 * (mask > 0)).astype(np.float32))}, "T1")
    rule = ResamplingRule(1)
    spacing = tuple((3.0, 1.0, 1.0)[axis] for axis in axes)
    preparation = Preparation("nnunet-v2", axes, spacing, (IntensityRule("zscore"),), rule, rule)
    spec = InputSpec(("T1",), (1.0, 1.0, 3.0), preparation=preparation.to_dict())
    ready = training_case(study, mask, contract, spec)
    assert ready.regions.shape[1:] == ready.image.shape[1:]
    assert ready.regions[0].sum() == pytest.approx(np.count_nonzero(mask) * 1.2, rel=0.1)
    middle = 0.5 * (ready.image[0].min() + ready.image[0].max())
    overlap = 2 * (ready.regions[0] & (ready.image[0] > middle)).sum()
    assert overlap / (ready.regions[0].sum() + (ready.image[0] > middle).sum()) > 0.95
