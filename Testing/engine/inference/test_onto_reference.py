"""Bringing a result back slab by slab gives what bringing it back as a whole gives, and leaves nothing out."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.inference import onto_reference
from convnextseg_engine.inference.onto_reference import covered_box, restore_labels
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.labels.regions import labels_from_regions
from convnextseg_engine.progress import Reporter
from engine.inference.tiny_model import CONTRACT, rotation

_STRAIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)
INNER = Grid((14, 12, 10), (2.0, 2.0, 2.0), (-13.0, -11.0, -9.0), _STRAIGHT)
TARGETS = {
    "finer": Grid((60, 50, 40), (1.0, 1.0, 1.0), (-29.7, -24.7, -19.7), _STRAIGHT),
    "within": Grid((6, 6, 6), (1.5, 1.5, 1.5), (-4.0, -4.0, -4.0), _STRAIGHT),
    "oblique": Grid((40, 44, 9), (1.1, 1.0, 5.0), (-20.0, -24.0, -22.0), rotation(20, -10, 30)),
    "upside down": Grid((30, 30, 30), (1.3, 1.3, 1.3), (18.0, 18.0, -18.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
    "one slice": Grid((40, 40, 1), (1.0, 1.0, 3.0), (-20.3, -20.3, 0.4), _STRAIGHT),
}


def _probabilities() -> np.ndarray:
    noise = np.random.default_rng(2).normal(size=(3, *INNER.shape))
    smooth = [sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(n), 1.5)) for n in noise]
    return (0.5 + np.stack(smooth)).clip(0, 1).astype(np.float32)


def _as_a_whole(probabilities: np.ndarray, target: Grid) -> np.ndarray:
    found = [
        sitk.GetArrayFromImage(
            sitk.Resample(
                INNER.image(region), target.size, sitk.Transform(3, sitk.sitkIdentity), sitk.sitkLinear,
                target.origin, target.spacing, target.direction, 0.0, sitk.sitkFloat32,
            )
        )
        for region in probabilities
    ]  # fmt: skip
    return np.stack(found)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("at_a_time", [1, 5000, 10**9])
def test_slabs_give_what_the_whole_gives(name: str, at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onto_reference, "_AT_A_TIME", at_a_time)
    contract, probabilities = LabelContract.read(CONTRACT), _probabilities()
    expected = _as_a_whole(probabilities, TARGETS[name])
    found = restore_labels(probabilities, INNER, TARGETS[name], contract, Reporter(), keep=True)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.mask.any()
    unclear = (abs(expected - 0.5) < 1e-4).any(axis=0)
    assert np.array_equal(found.mask[~unclear], labels_from_regions(expected, contract)[~unclear])
    without = restore_labels(probabilities, INNER, TARGETS[name], contract, Reporter(), keep=False)
    assert without.probabilities is None
    assert np.array_equal(without.mask, found.mask)


def test_a_volume_elsewhere_holds_nothing() -> None:
    contract = LabelContract.read(CONTRACT)
    far = Grid((8, 8, 8), (1.0, 1.0, 1.0), (500.0, 0.0, 0.0), _STRAIGHT)
    assert covered_box(INNER, far) == ((0, 0, 0), (0, 0, 0))
    found = restore_labels(np.ones((3, *INNER.shape), np.float32), INNER, far, contract, Reporter(), keep=True)
    assert not found.mask.any()
    assert not found.probabilities.any()


def test_the_box_is_no_larger_than_what_the_network_saw() -> None:
    start, size = covered_box(INNER, TARGETS["finer"])
    # The input's edges lie at ±14, ±12 and ±10 mm; the target's voxels 0.3 mm above whole millimetres.
    assert start == (16, 13, 10)
    assert size == (28, 24, 20)
