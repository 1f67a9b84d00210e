"""Windows, mirrored views and members that disagree by a known amount."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from convnextseg_engine.inference.spread import Spread
from convnextseg_engine.inference.tiling import Tiling
from convnextseg_engine.inference.windows import WindowOptions, predict
from convnextseg_engine.progress import Reporter
from engine.inference.tiny_model import FormulaBackend

PATCH = (16, 16, 16)


def _logit(probability: float) -> float:
    return float(np.log(probability) - np.log1p(-probability))


def _saying(*probabilities: float) -> FormulaBackend:
    """A member that gives every voxel the same probability of each region."""
    logits = torch.tensor([_logit(probability) for probability in probabilities])[None, :, None, None, None]
    return FormulaBackend(lambda windows: logits.expand(len(windows), -1, *windows.shape[2:]).clone())


def _measured(members: list[FormulaBackend], array: np.ndarray, options: WindowOptions) -> tuple[np.ndarray, ...]:
    """Predict with and without measuring; return the spread after checking that the outputs are the same."""
    answers = len(options.views) * len(members)
    spread = Spread(Tiling(array.shape[1:], PATCH, options.overlap), options.outputs, exclusive=False, answers=answers)
    with_spread = predict(array, members, options, Reporter(), spread)
    np.testing.assert_array_equal(with_spread, predict(array, members, options, Reporter()))
    return spread.result().numpy()


@pytest.mark.parametrize("shape", [(16, 16, 16), (9, 30, 21)])
def test_two_members_that_differ_by_a_known_amount(shape: tuple) -> None:
    array = np.ones((1, *shape), dtype=np.float32)
    found = _measured([_saying(0.5, 0.2), _saying(0.5, 0.8)], array, WindowOptions(PATCH, 2))
    assert found.shape == shape
    np.testing.assert_allclose(found, 0.3, atol=1e-4)  # of the second region; the first is the same in both


def test_members_that_agree_do_not_differ() -> None:
    array = np.ones((1, 20, 16, 16), dtype=np.float32)
    assert _measured([_saying(0.97), _saying(0.97)], array, WindowOptions(PATCH, 1, mirror_axes=(2,))).max() < 1e-3


def test_a_network_that_knows_left_from_right_differs_from_its_mirror_image() -> None:
    ramp = torch.linspace(-2, 2, PATCH[2])
    network = FormulaBackend(lambda windows: ramp.expand(len(windows), 1, *PATCH).clone())
    array = np.ones((1, *PATCH), dtype=np.float32)
    found = _measured([network], array, WindowOptions(PATCH, 1, mirror_axes=(2,)))
    expected = (ramp.sigmoid() - ramp.flip(0).sigmoid()).abs().numpy() / 2
    np.testing.assert_allclose(found, np.broadcast_to(expected, PATCH), atol=1e-4)
    np.testing.assert_allclose(_measured([network], array, WindowOptions(PATCH, 1)), 0, atol=1e-3)


def test_overlapping_windows_differ_where_they_overlap_and_nowhere_else() -> None:
    steps = iter([0.1, 0.9])

    def formula(windows: torch.Tensor) -> torch.Tensor:
        return torch.full((len(windows), 1, *PATCH), _logit(next(steps)))

    array = np.ones((1, 24, 16, 16), dtype=np.float32)  # two windows, which share slices 8 to 15
    tiling = Tiling(array.shape[1:], PATCH, 0.5)
    assert [start[0] for start in tiling.starts] == [0, 8]
    spread = Spread(tiling, 1, exclusive=False, answers=1)
    predict(array, [FormulaBackend(formula)], WindowOptions(PATCH, 1), Reporter(), spread)
    found = spread.result().numpy()
    np.testing.assert_allclose(found[[*range(8), *range(16, 24)]], 0, atol=1e-3)
    # Where two windows weigh the same, the deviation is half of 0.9 - 0.1; elsewhere one of them weighs more.
    assert found[8:16].max() == pytest.approx(0.4, abs=0.01)
    assert (found[8:16] > 0.01).all()


def test_outputs_that_exclude_each_other_are_compared_as_probabilities_without_background() -> None:
    spread = Spread(Tiling(PATCH, PATCH, 0.5), 2, exclusive=True, answers=2)
    for shares in ((0.6, 0.3, 0.1), (0.6, 0.1, 0.3)):
        spread.add(torch.tensor(shares).log()[:, None, None, None].expand(-1, *PATCH), (0, 0, 0))
    np.testing.assert_allclose(spread.result().numpy(), 0.1, atol=1e-4)


def test_windows_that_are_left_out_count_as_nothing() -> None:
    array = np.zeros((1, 24, 16, 16), dtype=np.float32)
    array[:, :8] = 1
    options = WindowOptions(PATCH, 1, nothing=(-10.0,))
    spread = Spread(Tiling(array.shape[1:], PATCH, 0.5), 1, exclusive=False, answers=1)
    backend = _saying(0.8)
    predict(array, [backend], options, Reporter(), spread)
    assert sum(backend.windows) == 1
    found = spread.result().numpy()
    np.testing.assert_allclose(found[16:], 0, atol=1e-3)
    assert found[8:16].max() == pytest.approx(0.4, abs=0.01)
