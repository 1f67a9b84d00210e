"""When memory is refused, the next cheaper plan runs, the mask is the same or the difference is said, and why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from convnextseg_engine.errors import ResourceError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference import plan_run
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.memory import changes, is_out_of_memory, ladder
from convnextseg_engine.inference.options import SegmentOptions
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.labels.contract import LabelContract
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.networks.registry import build
from engine.inference.tiny_model import CONTRACT, FormulaBackend, head, loaded_with, thresholds, tiny_metadata

_GRID = Grid((44, 44, 44), (2.0, 2.0, 2.0), (-43.0, -43.0, -43.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
STUDY = Study({"T1c": head(_GRID, (8, 4, -6), 14, 400)}, "T1c")
_PATCH = (32, 32, 32)
_FORMULA = thresholds(1, 1, 2, 3)


def _mask(model: ModelFolder) -> np.ndarray:
    return segment(STUDY, loaded_with(model, FormulaBackend(_FORMULA), 2.0)).mask


def test_the_rungs_come_in_order_and_end_on_the_cpu() -> None:
    plans = ladder("cuda:0", (64, 64, 64), 0.5, smaller_patch=(32, 32, 32))
    assert [(p.device, p.window_batch, p.precision, p.accumulate_on, p.overlap, p.patch[0]) for p in plans] == [
        ("cuda:0", 4, "fp32", "cuda:0", 0.5, 64),
        ("cuda:0", 2, "fp32", "cuda:0", 0.5, 64),
        ("cuda:0", 1, "fp32", "cuda:0", 0.5, 64),
        ("cuda:0", 1, "fp16", "cuda:0", 0.5, 64),
        ("cuda:0", 1, "fp16", "cpu", 0.5, 64),
        ("cuda:0", 1, "fp16", "cpu", 0.25, 64),
        ("cuda:0", 1, "fp16", "cpu", 0.25, 32),
        ("cpu", 1, "fp32", "cpu", 0.5, 64),
        ("cpu", 1, "fp32", "cpu", 0.25, 64),
        ("cpu", 1, "fp32", "cpu", 0.25, 32),
    ]
    assert all(not changes(plan, plans[0]) for plan in plans[:3])
    assert [len(changes(plan, plans[0])) for plan in plans[3:]] == [1, 1, 2, 3, 0, 1, 2]


def test_a_network_that_takes_no_smaller_window_is_given_none(tiny_model: ModelFolder) -> None:
    assert load(tiny_model, "cpu").smaller_patch is None  # its norms need more than 16³ voxels
    assert [plan.patch for plan in ladder("cpu", _PATCH, 0.25)] == [_PATCH]
    assert ladder("mps", _PATCH, 0.5, max_window_batch=1)[0].window_batch == 1
    assert all(plan.precision == "fp32" for plan in ladder("mps", _PATCH, 0.5))


class _RefusingBackend(FormulaBackend):
    """A graphics processor that refuses the first calls, as if each plan were too large."""

    def __init__(self, refusals: int):
        super().__init__(_FORMULA, device="cuda:0")
        self.left = refusals
        self.precisions: list[str] = []

    def in_precision(self, precision: str) -> FormulaBackend:
        self.precisions.append(precision)
        return self

    def logits(self, windows: torch.Tensor, check: object) -> torch.Tensor:
        if self.left:
            self.left -= 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return super().logits(windows, check)


@pytest.fixture()
def sums_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no graphics processor here to hold sums, or to say how much memory it has."""
    from convnextseg_engine.inference import windows

    monkeypatch.setattr(plan_run, "free_device_bytes", lambda device: None)
    real = windows.accumulator_for
    monkeypatch.setattr(windows, "accumulator_for", lambda name, tiling, n, device: real(name, tiling, n, "cpu"))


@pytest.mark.parametrize("refusals", range(7))
def test_a_refusal_at_each_rung_of_a_graphics_processor_is_survived(
    tiny_model: ModelFolder, sums_on_the_cpu: None, refusals: int
) -> None:
    loaded = replace(loaded_with(tiny_model, _RefusingBackend(refusals), 2.0), smaller_patch=(16, 16, 16))
    result = segment(STUDY, loaded)
    assert result.device == "cuda:0"
    assert sum("not enough memory for" in reason for reason in result.reasons) == refusals
    # A formula does not depend on windows or precision, so here every rung gives the very same mask.
    assert np.array_equal(result.mask, _mask(tiny_model))
    said = [warning for warning in result.warnings if "to save memory" in warning]
    assert len(said) == [0, 0, 0, 1, 1, 2, 3][refusals]


def test_after_the_last_rung_the_cpu_computes_what_it_always_does(
    tiny_model: ModelFolder, sums_on_the_cpu: None
) -> None:
    result = segment(STUDY, loaded_with(tiny_model, _RefusingBackend(6), 2.0))
    assert result.device == "cpu"
    assert result.plan.startswith("one window of 32 × 32 × 32 at a time on the CPU")
    assert np.array_equal(result.mask, segment(STUDY, load(tiny_model, "cpu")).mask)
    assert not [warning for warning in result.warnings if "to save memory" in warning]


@pytest.fixture(scope="module")
def windowed_model(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """A network whose norms look at one voxel at a time, so that a smaller window changes its surroundings only."""
    metadata = replace(tiny_metadata("windowed"), network={"name": "unet3d", "norm": "layer", "width": 4})
    contract = LabelContract.read(CONTRACT)
    torch.manual_seed(0)
    network = build(metadata.network, len(metadata.channels), contract.network_outputs)
    return ModelFolder.write(
        tmp_path_factory.mktemp("windowed") / "model", metadata, contract, network.state_dict(), "# Random\n"
    )


@pytest.mark.parametrize(("refusals", "sentences"), [(1, 1), (2, 2)])
def test_the_cpus_lower_rungs_run_a_real_network_and_say_what_they_changed(
    windowed_model: ModelFolder, monkeypatch: pytest.MonkeyPatch, refusals: int, sentences: int
) -> None:
    loaded = load(windowed_model, "cpu")
    assert loaded.smaller_patch == (16, 16, 16)
    left = [refusals]
    real = plan_run.predict

    def refusing(*arguments: object) -> np.ndarray:
        if left[0]:
            left[0] -= 1
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(plan_run, "predict", refusing)
    result = segment(STUDY, loaded)
    said = [warning for warning in result.warnings if "to save memory" in warning]
    assert len(said) == sentences
    assert "overlapping by 0.25" in result.plan
    assert ("16 × 16 × 16" in result.plan) == (refusals == 2)
    # It runs just what it says: the same as a model that is meant to be run so.
    patch = (16, 16, 16) if refusals == 2 else (32, 32, 32)
    meant = replace(windowed_model, metadata=replace(windowed_model.metadata, patch=patch))
    expected = segment(STUDY, load(meant, "cpu"), options=SegmentOptions(overlap=0.25))
    assert 0.05 < np.mean(expected.mask > 0) < 0.95
    assert np.array_equal(result.mask, expected.mask)


def test_when_no_plan_fits_the_error_is_about_memory(tiny_model: ModelFolder) -> None:
    def refuse(windows: torch.Tensor) -> torch.Tensor:
        raise MemoryError

    with pytest.raises(ResourceError) as caught:
        segment(STUDY, loaded_with(tiny_model, FormulaBackend(refuse), 2.0))
    assert caught.value.code == "out-of-memory"


def test_other_failures_are_not_taken_for_memory(tiny_model: ModelFolder, sums_on_the_cpu: None) -> None:
    def fail(windows: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("CUDA error: device-side assert triggered")

    backend = FormulaBackend(fail, device="cuda:0")
    with pytest.raises(RuntimeError, match="assert"):
        segment(STUDY, loaded_with(tiny_model, backend, 2.0))
    assert backend.windows == [4]


@pytest.mark.parametrize(
    "words",
    ["CUDA out of memory", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
     "DefaultCPUAllocator: not enough memory", "std::bad_alloc"],
)  # fmt: skip
def test_refusals_of_memory_are_recognised(words: str) -> None:
    assert is_out_of_memory(RuntimeError(words))
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
