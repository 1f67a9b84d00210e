"""What a result says about itself: channels, warnings, plan, report; and how memory and devices are handled."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.errors import InputError, ResourceError, RunCancelled
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.study import Study
from convnextseg_engine.inference.device import checked_device_name, choose_device
from convnextseg_engine.inference.loaded import load
from convnextseg_engine.inference.report import report
from convnextseg_engine.inference.segment import segment
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.progress import Reporter
from engine.inference.tiny_model import FormulaBackend, head, loaded_with, thresholds

GRID = Grid((44, 44, 44), (2.0, 2.0, 2.0), (-43.0, -43.0, -43.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
STUDY = Study({"T1c": head(GRID, (8, 4, -6), 14, 400), "FLAIR": head(GRID, (8, 4, -6), 14, 300)}, "T1c")
# Two windows only, for runs of a real network.
_SMALL_GRID = Grid((32, 32, 40), (2.0, 2.0, 2.0), (-31.0, -31.0, -39.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
SMALL = Study({"T1c": head(_SMALL_GRID, (8, 4, -6), 14, 400), "FLAIR": head(_SMALL_GRID, (8, 4, -6), 14, 300)}, "T1c")


def test_missing_channels_are_named(tiny_model: ModelFolder) -> None:
    result = segment(STUDY, loaded_with(tiny_model, FormulaBackend(thresholds(1, 1, 2, 3)), 2.0))
    assert result.present == ("T1c", "FLAIR")
    assert result.missing == ("T1", "T2")
    assert any("T1, T2" in warning for warning in result.warnings)


def test_a_study_without_a_known_channel_is_refused_with_the_known_names(tiny_model: ModelFolder) -> None:
    study = Study({"PD": STUDY.channels["T1c"]}, "PD")
    with pytest.raises(InputError, match="T1, T1c, T2, FLAIR"):
        segment(study, loaded_with(tiny_model, FormulaBackend(thresholds(1, 1, 2, 3))))


def test_a_channel_that_shows_nothing_is_warned_of(tiny_model: ModelFolder) -> None:
    flat = GRID.image(np.full(GRID.shape, 7, dtype=np.int16))
    study = Study({**STUDY.channels, "FLAIR": flat}, "T1c")
    result = segment(study, loaded_with(tiny_model, FormulaBackend(thresholds(1, 1, 2, 3)), 2.0))
    assert any(warning.startswith("FLAIR is the same everywhere") for warning in result.warnings)


def test_one_image_under_two_names_is_warned_of(tiny_model: ModelFolder) -> None:
    study = Study({**STUDY.channels, "T1": STUDY.channels["T1c"]}, "T1c")
    result = segment(study, loaded_with(tiny_model, FormulaBackend(thresholds(1, 1, 2, 3)), 2.0))
    assert any(warning.startswith("T1 and T1c are the same image") for warning in result.warnings)


def test_a_skull_is_warned_of_only_where_one_may_be(tiny_model: ModelFolder) -> None:
    """The ball lies in zeros, as a brain whose skull was removed; with a faint background it does not."""
    loaded = loaded_with(tiny_model, FormulaBackend(thresholds(1, 1, 2, 3)), 2.0)
    raw = Study({**STUDY.channels, "FLAIR": GRID.image(sitk.GetArrayFromImage(STUDY.channels["FLAIR"]) + 5)}, "T1c")
    warned = [any("skull" in warning for warning in segment(study, loaded).warnings) for study in (STUDY, raw)]
    assert warned == [False, True]


def test_an_empty_result_says_so(tiny_model: ModelFolder) -> None:
    result = segment(STUDY, loaded_with(tiny_model, FormulaBackend(thresholds(1, 99, 99, 99)), 2.0))
    assert not result.mask.any()
    assert "The model marked nothing in this study." in result.warnings


def test_the_real_network_runs_on_both_backends_and_they_agree(tiny_model: ModelFolder) -> None:
    with_torch = segment(SMALL, load(tiny_model, "cpu", "torch"), keep_probabilities=True)
    with_openvino = segment(SMALL, load(tiny_model, "cpu", "openvino"), keep_probabilities=True)
    assert (with_torch.backend, with_openvino.backend) == ("torch", "openvino")
    np.testing.assert_allclose(with_torch.probabilities, with_openvino.probabilities, atol=5e-4)
    assert np.mean(with_torch.mask == with_openvino.mask) > 0.999
    assert 0 < np.count_nonzero(with_torch.mask) < with_torch.mask.size
    assert set(with_torch.seconds) == {"prepare", "network", "windows", "restore"}


def test_cancel_during_the_run_ends_it(tiny_model: ModelFolder) -> None:
    reporter = Reporter()
    reporter.on_progress = lambda event: event.stage == "predict" and reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        segment(SMALL, load(tiny_model, "cpu", "torch"), reporter)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "cuda:-1"])
def test_misspelled_devices_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="auto, cpu, cuda"):
        checked_device_name(name)


def test_a_device_that_is_not_there_is_a_resource_error_with_a_remedy() -> None:
    with pytest.raises(ResourceError) as caught:
        choose_device("cuda:99")
    assert caught.value.exit_status == 4
    assert "doctor" in caught.value.remedy


def test_auto_says_why() -> None:
    device = choose_device("auto")
    assert device.reason
    assert device.name == "cpu" or torch.cuda.is_available() or torch.backends.mps.is_available()


def test_an_unknown_backend_and_an_impossible_pair_are_refused(tiny_model: ModelFolder) -> None:
    with pytest.raises(InputError, match="tensorrt"):
        load(tiny_model, "cpu", "tensorrt")
    with pytest.raises(InputError, match="does not run on mps"):
        load(tiny_model, "mps", "openvino")


def test_the_report_is_json_and_names_model_device_backend_times_and_volumes(tiny_model: ModelFolder) -> None:
    result = segment(SMALL, load(tiny_model, "cpu", "torch"))
    told = json.loads(json.dumps(report(result, {"read": 0.5})))
    assert told["model"]["name"] == "tiny"
    assert told["model"]["version"] == "v1"
    assert "Not for clinical use" in told["model"]["intended_use"]
    assert (told["device"], told["backend"]) == ("cpu", "torch")
    assert set(told["seconds"]) == {"read", "prepare", "network", "windows", "restore", "total"}
    assert told["seconds"]["total"] == pytest.approx(sum(result.seconds.values()) + 0.5, abs=0.01)
    assert [entry["name"] for entry in told["labels"]] == ["edema", "core", "enhancing"]
    for entry in told["labels"]:
        assert entry["volume_ml"] == pytest.approx(np.count_nonzero(result.mask == entry["value"]) * 0.008, abs=1e-3)
    assert told["channels"] == {"used": ["T1c", "FLAIR"], "missing": ["T1", "T2"]}
