"""OpenVINO: cached, interruptible, silent."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
import torch

from convnextseg_engine.errors import RunCancelled
from convnextseg_engine.inference import loaded as loaded_module
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.openvino_backend import OpenVinoBackend
from convnextseg_engine.models.folder import ModelFolder


def _ignore() -> None:
    return None


def _network() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Conv3d(2, 8, 3, padding=1), torch.nn.GELU(), torch.nn.Conv3d(8, 3, 1)).eval()


def test_the_second_start_takes_the_converted_model_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, windows = _network(), torch.randn(1, 2, 16, 16, 16)
    first = OpenVinoBackend(network, 2, (16, 16, 16), "weights-1", tmp_path / "cache")
    expected = first.logits(windows, _ignore)
    with torch.inference_mode():
        torch.testing.assert_close(expected, network(windows), atol=1e-5, rtol=1e-5)
    assert first.precision == "fp32"

    def must_not_convert(*_: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(OpenVinoBackend, "_convert", must_not_convert)
    second = OpenVinoBackend(network, 2, (16, 16, 16), "weights-1", tmp_path / "cache")
    assert torch.equal(second.logits(windows, _ignore), expected)
    with pytest.raises(AssertionError, match="converted again"):  # other weights are another entry
        OpenVinoBackend(network, 2, (16, 16, 16), "weights-2", tmp_path / "cache")


def test_a_damaged_cache_entry_is_made_again(tmp_path: Path) -> None:
    network, windows = _network(), torch.randn(1, 2, 16, 16, 16)
    expected = OpenVinoBackend(network, 2, (16, 16, 16), "w", tmp_path / "cache").logits(windows, _ignore)
    (entry,) = (tmp_path / "cache").iterdir()
    for file in entry.iterdir():
        file.chmod(0o644)
        file.write_bytes(b"not a model")
    again = OpenVinoBackend(network, 2, (16, 16, 16), "w", tmp_path / "cache")
    assert torch.equal(again.logits(windows, _ignore), expected)


def test_a_place_that_cannot_hold_the_cache_costs_time_only(tmp_path: Path) -> None:
    in_the_way = tmp_path / "cache"
    in_the_way.write_text("a file where the folder should be")
    windows = torch.randn(1, 2, 16, 16, 16)
    backend = OpenVinoBackend(_network(), 2, (16, 16, 16), "w", in_the_way)
    assert backend.logits(windows, _ignore).shape == (1, 3, 16, 16, 16)


def test_cancel_stops_a_running_window_and_the_next_one_is_right(tmp_path: Path) -> None:
    torch.manual_seed(2)
    layers = [torch.nn.Conv3d(2, 32, 5, padding=2), *(torch.nn.Conv3d(32, 32, 5, padding=2) for _ in range(3))]
    network = torch.nn.Sequential(*layers).eval()
    backend = OpenVinoBackend(network, 2, (32, 32, 32), "slow", None)
    windows = torch.randn(1, 2, 32, 32, 32)

    def cancelled() -> None:
        raise RunCancelled()

    started = time.monotonic()
    with pytest.raises(RunCancelled):
        backend.logits(windows, cancelled)
    stopped = time.monotonic() - started
    started = time.monotonic()
    after = backend.logits(windows, _ignore)
    whole = time.monotonic() - started
    assert stopped < max(1.0, 0.8 * whole)
    with torch.inference_mode():
        torch.testing.assert_close(after, network(windows), atol=1e-4, rtol=1e-3)


def test_nothing_reports_to_the_network(tmp_path: Path) -> None:
    OpenVinoBackend(_network(), 2, (16, 16, 16), "w", None)
    assert sys.modules["openvino_telemetry"] is None
    assert [name for name in sys.modules if name.startswith("openvino_telemetry.")] == []


def test_without_openvino_torch_runs_and_the_reason_says_so(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_module, "openvino_version", lambda: None)
    loaded = load(tiny_model, "cpu")
    assert loaded.backend.name == "torch"
    assert "not installed" in loaded.backend_reason


def test_a_network_that_openvino_refuses_runs_with_torch_and_the_reason_says_why(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("No conversion rule for aten::exotic\nmore lines")

    monkeypatch.setattr(OpenVinoBackend, "_convert", refuse)
    loaded = load(tiny_model, "cpu")
    assert loaded.backend.name == "torch"
    assert "aten::exotic" in loaded.backend_reason
    assert "\n" not in loaded.backend_reason
