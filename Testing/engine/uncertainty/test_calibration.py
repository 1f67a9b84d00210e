from __future__ import annotations

import numpy as np
import pytest

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.uncertainty.calibrate import NearBoundaries, Prediction, calibrate
from convnextseg_engine.uncertainty.reliability import calibration_error, near_boundary
from convnextseg_engine.uncertainty.temperature import fitted_temperature, warmed
from engine.uncertainty.test_label_probabilities import EXCLUSIVE, NESTED

STRAIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 3.0])
def test_the_temperature_that_made_probabilities_wrong_is_found(overconfidence: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 200_000)
    truth = rng.random(logits.size) < sigmoid(logits)
    said = sigmoid(logits * overconfidence)
    found = fitted_temperature([said[:50_000], said[50_000:]], [truth[:50_000], truth[50_000:]])
    assert found == pytest.approx(overconfidence, rel=0.03)
    right = calibration_error(warmed(said, found), truth)
    assert right < 0.01
    if overconfidence != 1:
        assert calibration_error(said, truth) > 4 * right


def test_the_error_is_what_probabilities_miss() -> None:
    truth = np.array([True] * 30 + [False] * 70)
    assert calibration_error(np.full(100, 0.3), truth) == pytest.approx(0, abs=1e-9)
    assert calibration_error(np.full(100, 0.9), truth) == pytest.approx(0.6)
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, dtype=bool)))


def test_near_means_millimetres_on_both_sides() -> None:
    grid = Grid((60, 3, 3), (0.5, 2.0, 2.0), (0, 0, 0), STRAIGHT)
    mask = np.zeros((3, 3, 60), dtype=bool)
    mask[:, :, :30] = True
    near = near_boundary(mask, grid, 5.0)[1, 1]
    assert abs(int(near.sum()) - 20) <= 1
    assert near[25] and near[34] and not near[15] and not near[45]
    assert not near_boundary(np.zeros_like(mask), grid).any()


@pytest.mark.parametrize("contract", [NESTED, EXCLUSIVE])
def test_calibrating_an_overconfident_model_halves_its_error(contract) -> None:
    rng = np.random.default_rng(3)
    grid = Grid((24, 24, 24), (2.0, 2.0, 2.0), (0, 0, 0), STRAIGHT)
    gathered = NearBoundaries(contract)
    for case in ("a", "b"):
        k, j, i = np.meshgrid(*(np.arange(24) - 11.5,) * 3, indexing="ij")
        radius = np.sqrt(k**2 + j**2 + i**2)
        logits = np.stack([(r - radius) * 0.4 for r in (10, 7, 4)])
        drawn = rng.random(radius.shape)
        truth = np.zeros(radius.shape, dtype=np.uint8)
        if contract is EXCLUSIVE:
            scores = np.exp(np.stack([np.zeros_like(radius), logits[0], logits[1] - 1, logits[2] - 2]))
            shares = scores / scores.sum(axis=0)
            index = (drawn > np.cumsum(shares, axis=0)).sum(axis=0).clip(0, 3)
            truth = np.array([0, 1, 2, 4], dtype=np.uint8)[index]
            sharp = scores**3 / (scores**3).sum(axis=0)
            probabilities = sharp[1:].astype(np.float32)
        else:
            for value, logit in zip((2, 1, 4), logits, strict=True):
                truth[drawn < sigmoid(logit)] = value
            probabilities = sigmoid(3 * logits).astype(np.float32)
        gathered.add(Prediction(case, probabilities, truth, grid))
    found = calibrate(gathered)
    assert found.cases == ("a", "b")
    assert all(temperature == pytest.approx(3, rel=0.2) for temperature in found.temperatures.values())
    assert np.nanmean(list(found.after.values())) < np.nanmean(list(found.before.values())) / 2


def test_a_region_that_is_drawn_nowhere_gets_no_temperature() -> None:
    grid = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0, 0, 0), STRAIGHT)
    probabilities = np.zeros((3, 8, 8, 8), dtype=np.float32)
    probabilities[0, 2:6] = 0.8
    truth = np.zeros((8, 8, 8), dtype=np.uint8)
    truth[2:6] = 2
    gathered = NearBoundaries(NESTED)
    gathered.add(Prediction("a", probabilities, truth, grid))
    found = calibrate(gathered)
    assert set(found.temperatures) == {"whole"}
    assert np.isnan(found.before["core"])
