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
