"""What a run takes is known before it runs, for studies of any size, and what cannot fit is refused in words."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from convnextseg_engine.errors import ResourceError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference import plan_run
from convnextseg_engine.inference import segment as segment_module
from convnextseg_engine.inference.estimate import RunSize, estimate
from convnextseg_engine.inference.free_memory import free_host_bytes, give_back_freed_memory, resident_bytes
from convnextseg_engine.inference.memory import Plan
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.networks.memory import MemoryCoefficients
from engine.inference.tiny_model import FormulaBackend, head, loaded_with, thresholds

NETWORK = MemoryCoefficients(50_000_000, 1000.0)
_GRID = Grid((44, 44, 44), (2.0, 2.0, 2.0), (-43.0, -43.0, -43.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
STUDY = Study({"T1c": head(_GRID, (8, 4, -6), 14, 400)}, "T1c")


def _cube(extent: int, spacing: float = 1.0, *, keep: bool = False) -> RunSize:
    inside = max(1, round(extent * spacing / 2))
    return RunSize((inside,) * 3, (extent,) * 3, (extent,) * 3, 4, 3, 3, keep)


def test_it_grows_with_the_study_and_shrinks_with_each_rung() -> None:
    cpu = Plan("cpu", 1, (64, 64, 64), 0.5)
    needs = [estimate(cpu, _cube(extent), NETWORK).host for extent in (16, 128, 256, 512, 1024)]
    assert needs == sorted(needs)
    # 1024³ at 1 mm: the mask alone is 1.07 GB; the network sees 512³ voxels, and 3 outputs of those are 1.6 GB.
    assert 4e9 < needs[-1] < 6e9
    assert estimate(cpu, _cube(1024, keep=True), NETWORK).host - needs[-1] == 3 * 4 * 1024**3
    # Uncertainty keeps probabilities of three regions and two maps; disagreement adds a map and two sums a region.
    doubted = replace(_cube(1024), uncertainty=True)
    assert estimate(cpu, doubted, NETWORK).host - needs[-1] == (3 + 2) * 4 * 1024**3
    differing = estimate(cpu, replace(doubted, disagreement=True), NETWORK).host
    assert differing - estimate(cpu, doubted, NETWORK).host == 4 * 1024**3 + 2 * 3 * 4 * 512**3
    gpu = [
        Plan("cuda:0", 4, (64, 64, 64), 0.5, "fp32", "cuda:0"), Plan("cuda:0", 1, (64, 64, 64), 0.5, "fp32", "cuda:0"),
        Plan("cuda:0", 1, (64, 64, 64), 0.5, "fp16", "cpu"), Plan("cuda:0", 1, (32, 32, 32), 0.25, "fp16", "cpu"),
    ]  # fmt: skip
    on_device = [estimate(plan, _cube(512), NETWORK).device for plan in gpu]
    assert on_device == sorted(on_device, reverse=True)
    assert len(set(on_device)) == 4
    assert estimate(cpu, _cube(512), NETWORK).device == 0


@pytest.mark.parametrize("shape", [(1, 512, 512), (1, 1, 1), (3, 200, 1)])
def test_a_tiny_study_takes_what_one_window_takes(shape: tuple) -> None:
    size = RunSize(shape, shape, shape, 4, 3, 3)
    need = estimate(Plan("cpu", 1, (64, 64, 64), 0.5), size, NETWORK)
    assert 1000 * 64**3 < need.host < 1000 * 64**3 + 4 * 8 * 512**2 * 64


def test_working_memory_that_is_held_already_is_not_counted_again() -> None:
    plan = Plan("cpu", 1, (64, 64, 64), 0.5)
    first, again = (estimate(plan, _cube(128), NETWORK, held=held).host for held in (False, True))
    assert first - again == 1000 * 64**3


def test_working_memory_that_is_given_back_makes_room_for_the_result() -> None:
    plan, size = Plan("cpu", 1, (64, 64, 64), 0.5), _cube(1024)
    kept, freed = (estimate(plan, size, NETWORK, keeps=keeps).host for keeps in (True, False))
    assert kept - freed == 1000 * 64**3
    small = [estimate(plan, _cube(64), NETWORK, keeps=keeps).host for keeps in (True, False)]
    assert small[1] > 1000 * 64**3  # while the network runs


@pytest.mark.skipif(sys.platform != "linux", reason="other systems offer no way to give memory back")
def test_freed_memory_is_given_back_to_the_system() -> None:
    pieces = [
        b"x" * (100_000 + n) for n in range(2000)
    ]  # 200 MB in the heap, below the size that the system gives directly
    held = pieces[::50]
    full = resident_bytes()
    del pieces
    give_back_freed_memory()
    assert full - resident_bytes() > 150e6
    assert all(piece[-1:] == b"x" for piece in held)


def test_the_system_tells_what_is_free() -> None:
    free, resident = free_host_bytes(), resident_bytes()
    assert free is None or free > 1e6
    assert resident is None or 1e7 < resident < 1e12


def test_a_study_that_cannot_fit_is_refused_with_both_figures(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_run, "free_host_bytes", lambda: 10_000_000)
    monkeypatch.setattr(plan_run, "memory_of", lambda network, backend: NETWORK)
    backend = FormulaBackend(thresholds(1, 1, 2, 3))
    with pytest.raises(ResourceError, match=r"would take about 0.0 GB, and this computer has 0.0 GB free") as caught:
        segment(STUDY, loaded_with(tiny_model, backend, 2.0))
    assert caught.value.code == "out-of-memory"
    assert backend.windows == []


def test_a_guess_turns_nobody_away(tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_run, "free_host_bytes", lambda: 10_000_000)
    monkeypatch.setattr(plan_run, "memory_of", lambda network, backend: replace(NETWORK, measured=False))
    backend = FormulaBackend(thresholds(1, 1, 2, 3))
    result = segment(STUDY, loaded_with(tiny_model, backend, 2.0))
    assert result.mask.any()
    assert "overlapping by 0.5" in result.plan  # a smaller overlap would take as much


def test_a_graphics_processor_that_is_too_small_is_not_even_tried(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_run, "free_device_bytes", lambda device: 50_000_000 if device != "cpu" else None)
    monkeypatch.setattr(plan_run, "memory_of", lambda network, backend: NETWORK)
    real = plan_run.ladder
    monkeypatch.setattr(
        plan_run, "ladder", lambda *a, **k: tuple(replace(p, accumulate_on="cpu") for p in real(*a, **k))
    )
    backend = FormulaBackend(thresholds(1, 1, 2, 3), device="cuda:0")
    result = segment(STUDY, loaded_with(tiny_model, backend, 2.0))
    assert max(backend.windows) == 1  # 1000 bytes a voxel: two windows of 32³ would take 66 MB
    assert sum("cuda:0 has 0.1 GB free" in reason for reason in result.reasons) == 2


class _Sized:
    """An image of which only the size counts, because it is refused before it is read."""

    def __init__(self, size: tuple):
        self._size = size

    def GetNumberOfComponentsPerPixel(self) -> int:
        return 1

    def GetNumberOfPixels(self) -> int:
        return self._size[0] * self._size[1] * self._size[2]

    def GetSizeOfPixelComponent(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("size", "fits"), [((512, 512, 1), True), ((512, 512, 512), True), ((1024, 1024, 1024), False)]
)
def test_preparing_a_huge_study_is_refused_before_it_begins(
    tiny_model: ModelFolder, monkeypatch: pytest.MonkeyPatch, size: tuple, fits: bool
) -> None:
    monkeypatch.setattr(segment_module, "free_host_bytes", lambda: 8_000_000_000)
    study = SimpleNamespace(channels={name: _Sized(size) for name in ("T1", "T1c", "T2", "FLAIR")})
    grid = Grid(size, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    if fits:
        segment_module._check_preparing(study, grid, tiny_model.input_spec)
        return
    with pytest.raises(ResourceError, match=r"would take about \d+\.\d GB, and this computer has 8\.0 GB free"):
        segment_module._check_preparing(study, grid, tiny_model.input_spec)
