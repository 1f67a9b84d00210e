"""Sliding windows: nothing is left out, nothing is invented, and Cancel is heard."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import torch

from convnextseg_engine.errors import ConvNeXtSegError, RunCancelled
from convnextseg_engine.inference.tiling import Tiling
from convnextseg_engine.inference.torch_backend import TorchBackend
from convnextseg_engine.inference.windows import WindowOptions, predict
from convnextseg_engine.progress import Reporter
from engine.inference.tiny_model import FormulaBackend, thresholds

PATCH = (32, 32, 32)


def _zeros(shape: tuple) -> np.ndarray:
    return np.zeros((1, *shape), dtype=np.float32)


@pytest.mark.parametrize("shape", [(32, 32, 32), (20, 50, 33), (64, 48, 96), (7, 9, 11)])
@pytest.mark.parametrize("window_batch", [1, 4])
def test_a_pointwise_network_gives_what_it_gives_on_the_whole_image(shape: tuple, window_batch: int) -> None:
    array = np.random.default_rng(3).normal(size=(2, *shape)).astype(np.float32)
    formula = thresholds(1, -0.2, 0.1, 0.5)
    options = WindowOptions(PATCH, 3, window_batch=window_batch)
    found = predict(array, [FormulaBackend(formula)], options, Reporter())
    expected = formula(torch.from_numpy(array)[None])[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=2e-6)


@pytest.mark.parametrize("shape", list(itertools.product((5, 32, 33, 48, 100), (32, 65), (40,))))
def test_the_announced_number_of_windows_is_the_number_computed(shape: tuple) -> None:
    backend = FormulaBackend(thresholds(0, 0.0))
    predict(_zeros(shape), [backend], WindowOptions(PATCH, 1, window_batch=3), Reporter())
    assert sum(backend.windows) == len(Tiling(shape, PATCH).starts)
    assert max(backend.windows) <= 3


def test_progress_rises_to_one_and_names_the_windows() -> None:
    events = []
    reporter = Reporter(on_progress=events.append)
    backend = FormulaBackend(thresholds(0, 0.0))
    predict(_zeros((64, 32, 32)), [backend], WindowOptions(PATCH, 1), reporter)
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert events[-1].message == "window 3 of 3"


def test_cancel_between_windows_computes_no_further_window() -> None:
    reporter = Reporter()
    backend = FormulaBackend(thresholds(0, 0.0))
    reporter.on_progress = lambda event: event.message.startswith("window 1") and reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        predict(_zeros((100, 100, 100)), [backend], WindowOptions(PATCH, 1), reporter)
    assert sum(backend.windows) == 1


def test_cancel_is_heard_between_the_layers_of_one_window() -> None:
    class Slow(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            time.sleep(0.05)
            return x

    network = torch.nn.Sequential(*(Slow() for _ in range(100)))
    deadline = time.monotonic() + 0.2

    def check() -> None:
        if time.monotonic() > deadline:
            raise RunCancelled()

    started = time.monotonic()
    with pytest.raises(RunCancelled):
        TorchBackend(network, "cpu").logits(torch.zeros(1, 1, 4, 4, 4), check)
    assert time.monotonic() - started < 1


def test_a_result_that_is_not_a_number_is_an_error_and_not_an_empty_mask() -> None:
    backend = FormulaBackend(lambda windows: windows * float("nan"))
    with pytest.raises(ConvNeXtSegError, match="not a number") as caught:
        predict(_zeros((32, 32, 32)), [backend], WindowOptions(PATCH, 1), Reporter())
    assert caught.value.code == "bad-output"


class _Leaning(torch.nn.Module):
    """Says more on one side, as a network that has learned which side is which."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        slope = torch.linspace(-1, 1, x.shape[-1])
        return x * slope + x.cumsum(dim=3) * 0.1


def _leaning(windows: torch.Tensor) -> torch.Tensor:
    return _Leaning()(windows)


@pytest.mark.parametrize("axes", [(0,), (2,), (0, 2), (0, 1, 2)])
def test_mirrored_views_are_mirrored_back_and_averaged(axes: tuple) -> None:
    array = np.random.default_rng(4).normal(size=(1, 16, 16, 16)).astype(np.float32)
    backend = FormulaBackend(_leaning)
    options = WindowOptions((16, 16, 16), 1, mirror_axes=axes)
    found = predict(array, [backend], options, Reporter())
    assert len(backend.windows) == 2 ** len(axes)
    expected = np.zeros_like(found)
    for view in itertools.product(*((False, True) for _ in axes)):
        turned = [1 + axis for axis, mirrored in zip(axes, view, strict=True) if mirrored]
        said = _leaning(torch.from_numpy(np.flip(array, turned).copy())[None])[0].numpy()
        expected += np.flip(said, turned) / 2 ** len(axes)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_members_of_an_ensemble_count_alike() -> None:
    array = np.random.default_rng(5).normal(size=(1, 40, 16, 16)).astype(np.float32)
    members = [FormulaBackend(lambda windows, factor=factor: windows * factor) for factor in (1.0, 2.0, 6.0)]
    events = []
    reporter = Reporter(on_progress=events.append)
    found = predict(array, members, WindowOptions((16, 16, 16), 1), reporter)
    np.testing.assert_allclose(found, array * 3, rtol=1e-5)
    windows = len(Tiling((40, 16, 16), (16, 16, 16)).starts)
    assert [sum(member.windows) for member in members] == [windows] * 3
    assert events[-1].message == f"window {3 * windows} of {3 * windows}"


def test_windows_that_show_nothing_are_not_computed_and_say_nothing() -> None:
    array = np.zeros((2, 16, 16, 64), dtype=np.float32)
    array[1, 8, 8, 40] = -3.0  # one voxel of one channel is something
    backend = FormulaBackend(lambda windows: windows[:, :1] * 0 + 2.0)
    patch = (16, 16, 16)
    found = predict(array, [backend], WindowOptions(patch, 1, nothing=(-10.0,)), Reporter())
    seen = [start for start in Tiling((16, 16, 64), patch).starts if start[2] <= 40 < start[2] + 16]
    assert sum(backend.windows) == len(seen) < len(Tiling((16, 16, 64), patch).starts)
    assert found[..., :16] == pytest.approx(-10.0)
    assert found[0, 8, 8, 40] == pytest.approx(2.0)
    every = FormulaBackend(lambda windows: windows[:, :1] * 0 + 2.0)
    assert predict(array, [every], WindowOptions(patch, 1), Reporter()) == pytest.approx(2.0)
    assert sum(every.windows) == 7


def test_a_study_of_nothing_but_background_needs_no_window() -> None:
    backend = FormulaBackend(thresholds(0, 0.0))
    found = predict(_zeros((20, 20, 20)), [backend], WindowOptions(PATCH, 1, nothing=(-10.0,)), Reporter())
    assert backend.windows == []
    assert found == pytest.approx(-10.0)
