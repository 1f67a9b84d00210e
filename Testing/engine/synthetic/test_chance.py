"""The generator's source of randomness."""

from __future__ import annotations

import numpy as np

from convnextseg_engine.synthetic.chance import Chance


def test_bell_numbers_have_mean_zero_and_deviation_one():
    values = Chance(1).bell((200_000,))
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01


def test_smooth_noise_has_deviation_one_and_is_smooth():
    fields = np.stack([Chance(seed).smooth((24, 30, 28), (4.0, 5.5, 3.0)) for seed in range(40)])
    assert abs(fields.mean()) < 0.05
    assert abs(fields.std() - 1) < 0.05
    for axis, cell in ((1, 4.0), (2, 5.5), (3, 3.0)):
        step = np.diff(fields, axis=axis).std()
        assert 0.5 / cell < step < 1.5 / cell  # one unit of change takes about a cell


def test_smooth_noise_interpolates_constant_coefficients_exactly():
    class Even(Chance):
        def __init__(self):
            self._generator = self

        def random(self, shape, dtype=None):
            return np.full(shape, 1.0, dtype=np.float32)

    field = Even().smooth((9, 10, 11), (2.5, 3.0, 4.0))
    np.testing.assert_allclose(field, field.flat[0], rtol=1e-6)  # B-splines add up to one everywhere


def test_directions_are_unit_vectors_in_all_octants():
    chance = Chance(3)
    directions = np.array([chance.direction() for _ in range(400)])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-12)
    assert len({tuple(signs) for signs in np.sign(directions)}) == 8


def test_choices_and_chances_follow_their_probabilities():
    chance = Chance(4)
    assert 0.25 < np.mean([chance.happens(0.3) for _ in range(2000)]) < 0.35
    assert {chance.one_of("abc") for _ in range(100)} == set("abc")
    drawn = [chance.between(-2, 5) for _ in range(1000)]
    assert -2 <= min(drawn) < -1.8 and 4.8 < max(drawn) <= 5
