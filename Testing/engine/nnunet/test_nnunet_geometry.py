"""nnU-Net's preparation in physical space: a phantom whose intensity is a linear function of position.

Linear interpolation reproduces it exactly, so every voxel of the network's input must hold the value of its position.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.canonical import canonical_grid
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.nnunet.preparation import V1, V2, IntensityRule, Preparation, ResamplingRule
from convnextseg_engine.images.prepare import InputSpec, prepare
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.nnunet_result import restore_nnunet
from convnextseg_engine.labels.contract import exclusive_contract
from convnextseg_engine.labels.known_labels import label_named

from .made_results import turned

LINEAR = ResamplingRule(1)
SLOPE, OFFSET = np.array([1.0, -2.0, 3.0]), 500.0


def preparation(axes=(0, 1, 2), spacing=(2.0, 1.5, 1.7), scheme=V2, orientation="", channels=1) -> Preparation:
    return Preparation(scheme, axes, spacing, (IntensityRule("none"),) * channels, LINEAR, LINEAR, orientation)


def spec(stated: Preparation, *channels: str) -> InputSpec:
    return InputSpec(channels or ("T1",), (1.5, 1.5, 2.0), preparation=stated.to_dict())


def values_at(grid: Grid) -> np.ndarray:
    """The phantom on a grid, shape (D, H, W)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    positions = np.stack([i, j, k], axis=-1) @ grid.ijk_to_lps[:3, :3].T + np.array(grid.origin)
    return positions @ SLOPE + OFFSET


def phantom(grid: Grid) -> sitk.Image:
    return grid.image(values_at(grid).astype(np.float32))


OBLIQUE = Grid((17, 19, 15), (1.1, 1.3, 2.4), (-9.0, 12.0, 4.0), turned(25, -15, 40))
LEFT_HANDED = Grid((17, 19, 15), (1.1, 1.3, 2.4), (-9.0, 12.0, 4.0), turned(10, 5, -20, flip=True))


@pytest.mark.parametrize("grid", [OBLIQUE, LEFT_HANDED])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("orientation", ["", "RAS", "ASL"])
@pytest.mark.parametrize("scheme", [V1, V2])
def test_every_input_voxel_lies_where_the_grid_says(grid: Grid, axes, orientation: str, scheme: str) -> None:
    prepared = prepare(
        Study({"T1": phantom(grid)}, "T1"), spec(preparation(axes, scheme=scheme, orientation=orientation))
    )
    assert prepared.array.shape[1:] == prepared.grid.shape
    # Beyond the outermost voxel centres the image goes on with its last value; there the phantom does not.
    inner = (slice(None), *(slice(2, -2),) * 3)
    np.testing.assert_allclose(prepared.array[inner], values_at(prepared.grid)[inner[1:]][None], rtol=0, atol=2e-3)


@pytest.mark.parametrize("grid", [OBLIQUE, LEFT_HANDED])
@pytest.mark.parametrize(("axes", "orientation"), [((0, 1, 2), ""), ((2, 0, 1), "RAS"), ((1, 2, 0), "PSR")])
def test_what_is_restored_lies_where_it_was(grid: Grid, axes, orientation: str) -> None:
    prepared = prepare(Study({"T1": phantom(grid)}, "T1"), spec(preparation(axes, orientation=orientation)))
    target = canonical_grid(phantom(grid))
    back = prepared.placement.into_volume(prepared.placement.cropped(prepared.array)[0], target)
    inner = (slice(3, -3),) * 3
    np.testing.assert_allclose(back[inner], values_at(target)[inner], rtol=0, atol=5e-3)


def test_what_was_cropped_away_holds_nothing() -> None:
    array = np.zeros(OBLIQUE.shape, dtype=np.float32)
    array[4:12, 5:15, 3:13] = 7
    prepared = prepare(Study({"T1": OBLIQUE.image(array)}, "T1"), spec(preparation()))
    box = prepared.placement.box
    assert [(part.start, part.stop) for part in box] == [(4, 12), (5, 15), (3, 13)]
    back = prepared.placement.into_volume(prepared.placement.cropped(prepared.array)[0], OBLIQUE, outside=-1)
    assert np.array_equal(back, np.where(array == 7, 7, -1))


def test_channels_of_other_grids_are_brought_onto_the_reference_by_geometry() -> None:
    wide = Grid((60, 60, 60), (2.0, 2.0, 2.0), (-60.0, -40.0, -50.0), turned(0, 0, 8))
    study = Study({"T1": phantom(OBLIQUE), "T2": phantom(wide)}, "T1")
    prepared = prepare(study, spec(preparation(channels=2), "T1", "T2"))
    inner = (slice(2, -2),) * 3
    np.testing.assert_allclose(prepared.array[1][inner], prepared.array[0][inner], rtol=0, atol=1e-2)


def test_a_channel_that_is_not_given_is_zero() -> None:
    prepared = prepare(Study({"T1": phantom(OBLIQUE)}, "T1"), spec(preparation(channels=2), "T2", "T1"))
    assert prepared.present == ("T1",)
    assert not prepared.array[0].any()
    assert prepared.array[1].any()


def test_a_network_of_slices_keeps_their_distance() -> None:
    prepared = prepare(
        Study({"T1": phantom(OBLIQUE)}, "T1"), spec(preparation(axes=(1, 0, 2), spacing=(None, 2.0, 2.0)))
    )
    assert prepared.array.shape[1] == OBLIQUE.shape[1]
    assert prepared.grid.spacing[2] == pytest.approx(OBLIQUE.spacing[1])


def test_numbers_that_are_none_do_not_spread() -> None:
    image = values_at(OBLIQUE).astype(np.float32)
    image[7, 7, 7] = np.nan
    prepared = prepare(Study({"T1": OBLIQUE.image(image)}, "T1"), spec(preparation()))
    assert np.isfinite(prepared.array).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scheme": "nnunet-v3"}, "nnunet-v3"),
        ({"transpose_forward": [0, 0, 1]}, "does not order three axes"),
        ({"spacing": [1.0, None, 1.0]}, "not three lengths"),
        ({"spacing": [1.0, -1.0, 1.0]}, "not three lengths"),
        ({"intensities": []}, "0 intensity schemes for 1"),
        ({"intensities": [{"scheme": "histogram"}]}, "histogram"),
        ({"intensities": [{"scheme": "ct", "low": 0}]}, "lacks high, mean, deviation"),
        ({"orientation": "RAT"}, "RAT"),
        ({"resampling": {"data": {"order": 9}, "outputs": {"order": 1}}}, "not between 0 and 5"),
        ({"resampling": {"data": {"order": 3}}}, "“outputs” is missing"),
        ({"resampling": None}, "bad-preparation"),
    ],
)
def test_a_damaged_description_is_refused(change: dict, words: str) -> None:
    stated = preparation().to_dict() | change
    with pytest.raises(InputError) as caught:
        prepare(Study({"T1": phantom(OBLIQUE)}, "T1"), InputSpec(("T1",), (1, 1, 1), preparation=stated))
    assert words in str(caught.value) + caught.value.code


def test_a_description_comes_back_as_it_was_written() -> None:
    stated = Preparation(
        V1, (2, 0, 1), (None, 1.0, 1.5),
        (IntensityRule("zscore", masked=True), IntensityRule("ct", low=-5, high=9, mean=2, deviation=3)),
        ResamplingRule(3), ResamplingRule(1, 0, True, 2.5), "RAS",
    )  # fmt: skip
    assert Preparation.from_dict(stated.to_dict(), 2) == stated


def test_without_scipy_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(Exception, match="pip install scipy") as caught:
        prepare(Study({"T1": phantom(OBLIQUE)}, "T1"), spec(preparation()))
    assert caught.value.code == "no-scipy"


def test_a_result_is_the_same_slice_by_slice_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(Study({"T1": phantom(OBLIQUE)}, "T1"), spec(preparation(axes=(2, 0, 1))))
    contract = exclusive_contract((label_named("edema", 1), label_named("core", 3)))
    outputs = np.random.default_rng(0).normal(size=(3, *prepared.array.shape[1:])).astype(np.float32)
    once = restore_nnunet(outputs, prepared.placement, OBLIQUE, contract, "float32", keep=True)
    monkeypatch.setattr("convnextseg_engine.inference.onto_reference._AT_A_TIME", 1)
    thin = restore_nnunet(outputs, prepared.placement, OBLIQUE, contract, "float32", keep=True)
    assert set(np.unique(once.mask)) == {0, 1, 3}
    assert np.array_equal(thin.mask, once.mask)
    np.testing.assert_allclose(thin.probabilities, once.probabilities, rtol=0, atol=1.3e-7)
    assert restore_nnunet(outputs, prepared.placement, OBLIQUE, contract, "float32", keep=False).probabilities is None
