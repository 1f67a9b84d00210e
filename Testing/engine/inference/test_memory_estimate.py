"""The memory plan's figure, given before a run, is what the run then takes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

# Families that use memory in different ways: MedNeXt's fused path, convolutions that pack weights, group norm, slices.
# PyTorch's is not the same from run to run where blocks of 8 to 16 MB decide, which the GNU C library sometimes keeps
# and sometimes gives back: segresnet's and convunext's ratios were 1.20 and 0.78 once (docs/performance.md).
_MODELS = [
    ("mednext-s-k3", (64, 64, 64), "torch"),
    ("mednext-s-k3", (64, 64, 64), "openvino"),
    ("unet", (64, 64, 64), "torch"),
    ("unet", (64, 64, 64), "openvino"),
    ("segresnet", (64, 64, 64), "openvino"),
    ("convunext", None, "openvino"),
]


@pytest.fixture()
def script(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    return importlib.import_module("measure_memory_plan")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems let no process forget its peak")
@pytest.mark.parametrize(("name", "window", "backend"), _MODELS)
def test_the_estimate_is_within_a_fifth_of_the_measured_peak(
    script: ModuleType, tmp_path: Path, name: str, window: tuple | None, backend: str
) -> None:
    figures = script.compared(script.write_model(tmp_path / "model", name, window), backend, tmp_path / "home")
    assert figures["measured"] > 20e6  # something ran
    assert figures["ratio"] == pytest.approx(1, abs=0.2), figures
    # The run alone, without what was in memory before, is the smaller figure, with more of the allocator's luck in it.
    assert figures["run_ratio"] == pytest.approx(1, abs=0.35), figures
