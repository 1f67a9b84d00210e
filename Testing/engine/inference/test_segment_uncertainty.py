"""A segmentation that also says how sure it is: the same mask, on the same grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.nnunet.preparation import V2, IntensityRule, Preparation, ResamplingRule
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.options import SegmentOptions, settings_for
from convnextseg_engine.inference.report import report
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.regions import regions_of
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.uncertainty.reliability import near_boundary
from engine.inference.tiny_model import FormulaBackend, head, loaded_with, tiny_metadata

_GRID = Grid((32, 32, 40), (2.0, 2.0, 2.0), (-31.0, -31.0, -39.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
_STUDY = Study({"T1c": head(_GRID, (8, 4, -6), 14, 400)}, "T1c")
_TEMPERATURES = {"whole tumour": 2.0, "tumour core": 2.0, "enhancing tumour": 2.0}


def _warm(model: ModelFolder, **inference) -> ModelFolder:
    return replace(model, metadata=replace(model.metadata, inference=inference))


@pytest.mark.parametrize("inference", [{}, {"temperature": _TEMPERATURES, "mirror_axes": [2]}])
def test_the_mask_is_the_same_to_the_last_voxel(tiny_model: ModelFolder, inference: dict) -> None:
    loaded = load(_warm(tiny_model, **inference), "cpu", "torch")
    plain = segment(_STUDY, loaded)
    sure = segment(_STUDY, loaded, options=SegmentOptions(uncertainty=True, disagreement=True))
    np.testing.assert_array_equal(sure.mask, plain.mask)
    assert plain.uncertainty is None
    assert sure.probabilities is None, "probabilities are only kept for who asks for them"
    assert sure.uncertainty.entropy.shape == sure.uncertainty.disagreement.shape == sure.mask.shape
    assert sure.uncertainty.calibrated == bool(inference)
    assert 0 < sure.uncertainty.entropy.max() <= 1
    assert 0 < sure.uncertainty.disagreement.max() <= 0.5
    assert sure.seconds["uncertainty"] > 0


def test_temperatures_change_the_probabilities_that_are_handed_out_and_not_the_mask(tiny_model: ModelFolder) -> None:
    options = SegmentOptions(keep_probabilities=True)
    raw = segment(_STUDY, load(tiny_model, "cpu", "torch"), options=options)
    warm = segment(_STUDY, load(_warm(tiny_model, temperature=_TEMPERATURES), "cpu", "torch"), options=options)
    np.testing.assert_array_equal(raw.calibrated(), raw.probabilities)
    np.testing.assert_array_equal(warm.probabilities, raw.probabilities)
    np.testing.assert_array_equal(warm.mask, raw.mask)
    near = np.stack([near_boundary(region, raw.grid) for region in regions_of(raw.mask, raw.contract)])
    unsure = (raw.probabilities > 0.01) & (raw.probabilities < 0.99) & near
    assert unsure.any() and not near.all()
    logit = np.log(raw.probabilities[unsure]) - np.log1p(-raw.probabilities[unsure])
    np.testing.assert_allclose(warm.calibrated()[unsure], 1 / (1 + np.exp(-logit / 2)), atol=1e-5)
    np.testing.assert_array_equal(warm.calibrated()[~near], raw.probabilities[~near])
    assert report(raw)["probabilities"] == {"calibrated": False, "temperatures": {}}
    assert report(warm)["probabilities"] == {"calibrated": True, "temperatures": _TEMPERATURES}
    assert segment(_STUDY, load(tiny_model, "cpu", "torch")).calibrated() is None


def _doubting_one_slice(inner: int) -> FormulaBackend:
    """Sure that nothing is there, except where the image is brightest."""

    def formula(windows: torch.Tensor) -> torch.Tensor:
        one = torch.where(windows[:, inner] > 2.0, 0.0, -8.0)
        return torch.stack([one, one - 4, one - 8], dim=1)

    return FormulaBackend(formula)


@pytest.mark.parametrize("left_handed", [False, True])
def test_doubt_lies_where_the_images_make_the_network_doubt(tiny_model: ModelFolder, left_handed: bool) -> None:
    direction = (1, 0, 0, 0, 1, 0, 0, 0, -1) if left_handed else (1, 0, 0, 0, 1, 0, 0, 0, 1)
    grid = Grid((32, 32, 40), (2.0, 2.0, 2.0), (-31.0, -31.0, 39.0 if left_handed else -39.0), direction)
    image = np.full(grid.shape, 100, np.int16)
    image[27, 4:28, 4:28] = 1000
    loaded = loaded_with(tiny_model, _doubting_one_slice(1), spacing=2.0)
    result = segment(Study({"T1c": grid.image(image)}, "T1c"), loaded, options=SegmentOptions(uncertainty=True))
    assert result.uncertainty.slices[0].index == 27
    assert result.uncertainty.slices[0].expected_error_ml == pytest.approx(24 * 24 * 0.5 * 0.008, rel=0.02)
    doubts = result.uncertainty.entropy
    assert np.unravel_index(doubts.argmax(), doubts.shape)[0] == 27
    told = report(result)["uncertainty"]
    assert told["slices"][0]["index"] == 27
    assert [label["name"] for label in told["labels"]] == ["edema", "core", "enhancing"]
    assert report(replace(result, uncertainty=None)).get("uncertainty") is None


def test_after_the_preparation_of_nnunet_disagreement_lies_on_the_users_grid_as_well(tiny_model: ModelFolder) -> None:
    linear = ResamplingRule(1)
    preparation = Preparation(V2, (2, 0, 1), (3.0, 2.0, 2.5), (IntensityRule("none"),) * 4, linear, linear, "RAS")
    model = replace(tiny_model, metadata=replace(tiny_model.metadata, preparation=preparation.to_dict()))
    levels = torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]
    first = FormulaBackend(lambda windows: windows[:, [1, 1, 1]] / 100 - levels)
    second = FormulaBackend(lambda windows: windows[:, [1, 1, 1]] / 100 - levels - 2 * (windows[:, [1]] > 250))
    loaded = replace(loaded_with(model, first), model=model, backends=(first, second))
    options = SegmentOptions(uncertainty=True, disagreement=True)
    found = segment(_STUDY, loaded, options=options).uncertainty.disagreement
    assert found.shape == _GRID.shape
    bright = sitk.GetArrayFromImage(_STUDY.channels["T1c"]) == 400
    assert found[bright].mean() > 5 * found[~bright].mean()
    assert 0 <= found.min() < found.max() <= 0.5


def test_disagreement_is_measured_for_who_asks_and_not_in_the_arithmetics_of_nnunet(tiny_model: ModelFolder) -> None:
    wishes = SegmentOptions(uncertainty=True, disagreement=True, arithmetic="nnunet-v2")
    assert not settings_for(wishes, tiny_metadata()).disagreement
    assert settings_for(replace(wishes, arithmetic=None), tiny_metadata()).disagreement
    assert not settings_for(SegmentOptions(uncertainty=True), tiny_metadata()).disagreement
    without = segment(_STUDY, load(tiny_model, "cpu", "torch"), options=SegmentOptions(uncertainty=True))
    assert without.uncertainty.disagreement is None
