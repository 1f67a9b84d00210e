"""The workflow: what was done and found is told, results are kept, nothing that was given is changed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from convnextseg_engine.errors import InputError, RunCancelled
from convnextseg_engine.images.study import Study
from convnextseg_engine.labels.contract import LabelContract, Region
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.models.store import ModelStore
from convnextseg_engine.networks.registry import build
from convnextseg_engine.preparing.brain_mask import mask_image
from convnextseg_engine.preparing.options import PreparationOptions
from convnextseg_engine.preparing.workflow import PreparedStudy, prepare_study
from convnextseg_engine.progress import Reporter
from convnextseg_engine.synthetic.brain import brain_tumour_contract
from engine.preparing.head_phantom import brain_study, motion, moved, with_skull

_AWAY = motion((7.0, -6.0, 5.0), (0.2, 0.9, -0.3), 8.0)


@pytest.fixture(scope="module")
def study() -> Study:
    return brain_study()


def _states(prepared: PreparedStudy) -> dict[str, str]:
    return {step.name: step.state for step in prepared.steps}


def test_a_moved_channel_is_noticed_and_stays_where_it_is_unless_asked(study: Study) -> None:
    away = moved(study, "T2", _AWAY)
    prepared = prepare_study(away, None, PreparationOptions())
    (finding,) = [finding for finding in prepared.findings if finding.name == "alignment"]
    assert finding.channels == ("T1c", "T2")
    assert finding.option == "--register rigid"
    assert prepared.study.channels["T2"] is away.channels["T2"]
    assert prepared.transforms == {}


def test_registering_moves_only_what_lies_elsewhere_and_never_the_reference(study: Study) -> None:
    away = moved(study, "T2", _AWAY)
    origin = away.channels["T2"].GetOrigin()
    prepared = prepare_study(away, None, PreparationOptions("rigid"))
    assert _states(prepared) | {"expectations": "done"} == {
        "align T1": "not needed", "align T2": "done", "align FLAIR": "not needed", "brain mask": "skipped",
        "expectations": "done",
    }  # fmt: skip
    assert list(prepared.transforms) == ["T2"]
    assert prepared.findings == ()
    for name in ("T1c", "T1", "FLAIR"):
        assert prepared.study.channels[name] is away.channels[name]
    assert prepared.study.reference_grid == study.reference_grid
    assert away.channels["T2"].GetOrigin() == origin
    before, after = study.channels["T2"], prepared.study.channels["T2"]
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(after), sitk.GetArrayViewFromImage(before))
    np.testing.assert_allclose(after.GetOrigin(), before.GetOrigin(), atol=1.5)


def test_the_second_time_everything_comes_from_the_cache(study: Study, private_home: Path) -> None:
    away = moved(study, "T2", _AWAY)
    first = prepare_study(away, None, PreparationOptions("rigid"))
    second = prepare_study(away, None, PreparationOptions("rigid"))
    aligned = {name: state for name, state in _states(second).items() if name.startswith("align")}
    assert aligned == dict.fromkeys(("align T1", "align T2", "align FLAIR"), "cached")
    assert second.transforms == first.transforms
    files = list((private_home / "cache" / "prepare").iterdir())
    assert len(files) == 3
    for file in files:
        file.write_text("{ broken", encoding="utf-8")
    third = prepare_study(away, None, PreparationOptions("rigid"))
    assert third.transforms == first.transforms
    assert _states(third)["align T2"] == "done"


def test_the_cache_holds_numbers_only(study: Study, private_home: Path) -> None:
    channels = dict(study.channels)
    channels["T2"] = sitk.Image(channels["T2"])
    channels["T2"].SetMetaData("0010|0010", "DOE^JANE")
    prepare_study(Study(channels, "T1c"), None, PreparationOptions())
    files = list((private_home / "cache" / "prepare").iterdir())
    assert files
    for file in files:
        assert len(file.stem) == 64
        assert "DOE" not in file.read_text(encoding="utf-8")
        assert all(isinstance(value, (int, float)) for value in json.loads(file.read_text(encoding="utf-8")).values())


def test_another_voxel_or_another_place_is_computed_anew(study: Study) -> None:
    prepare_study(study, None, PreparationOptions())
    array = sitk.GetArrayFromImage(study.channels["T2"])
    array[25, 30, 26] += 1
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(study.channels["T2"])
    for other in (
        Study(study.channels | {"T2": changed}, "T1c"),
        moved(study, "T2", motion((0.1, 0, 0), (0, 0, 1), 0)),
    ):
        states = _states(prepare_study(other, None, PreparationOptions()))
        assert (states["align T1"], states["align T2"]) == ("cached", "done")


def test_without_cache_nothing_is_kept(study: Study, private_home: Path) -> None:
    prepare_study(study, None, PreparationOptions(use_cache=False))
    assert not (private_home / "cache").exists()


def test_a_cache_that_cannot_be_written_does_no_harm(study: Study, private_home: Path) -> None:
    private_home.mkdir(parents=True)
    (private_home / "cache").write_text("in the way", encoding="utf-8")
    assert _states(prepare_study(study, None, PreparationOptions()))["align T2"] == "done"


def test_every_step_can_be_left_out(study: Study) -> None:
    prepared = prepare_study(study, None, PreparationOptions("off", expectations=False))
    assert set(_states(prepared).values()) == {"skipped"}
    assert prepared.study.channels == study.channels


def test_a_registration_that_is_not_to_be_trusted_changes_nothing_and_is_told(study: Study) -> None:
    noise = np.random.default_rng(3).normal(size=study.reference_grid.shape).astype(np.float32)
    other = Study(study.channels | {"T2": study.reference_grid.image(np.abs(noise))}, "T1c")
    prepared = prepare_study(other, None, PreparationOptions("rigid", expectations=False))
    assert prepared.transforms == {}
    assert prepared.study.channels["T2"] is other.channels["T2"]
    (finding,) = prepared.findings
    assert finding.name == "registration"
    assert "stays where it was" in finding.sentence


def test_a_channel_that_shows_nothing_is_not_said_to_lie_on_the_reference(study: Study) -> None:
    empty = study.channels["T2"] * 0
    prepared = prepare_study(
        replace(study, channels=study.channels | {"T2": empty}), None, PreparationOptions("rigid", expectations=False)
    )
    (finding,) = [finding for finding in prepared.findings if finding.name == "registration"]
    assert finding.channels == ("T1c", "T2")
    assert prepared.study.channels["T2"] is empty
    assert prepared.transforms == {}


def test_the_report_is_json_and_says_what_mends_a_mismatch(study: Study) -> None:
    prepared = prepare_study(moved(study, "T2", _AWAY), None, PreparationOptions())
    told = json.loads(json.dumps(prepared.to_dict()))
    assert {"name", "state", "seconds", "sentence"} == set(told["preparation"]["steps"][0])
    assert told["expectations"][0]["name"] == "alignment"
    assert told["expectations"][0]["option"] == "--register rigid"
    assert any("--register rigid" in warning for warning in prepared.warnings)


def test_cancel_is_heard(study: Study) -> None:
    reporter = Reporter()
    reporter.cancelled.set()
    with pytest.raises(RunCancelled):
        prepare_study(study, None, PreparationOptions(), reporter)


@pytest.mark.parametrize("options", [{"register": "affine"}, {"dilation_mm": -1.0}, {"dilation_mm": float("nan")}])
def test_impossible_wishes_are_refused(options) -> None:
    with pytest.raises(InputError):
        PreparationOptions(**options)


def _brain_model(tmp_path: Path, channels: tuple[str, ...]) -> None:
    """A model whose one label is the brain: random weights, so that its mask is something and not the brain."""
    torch.manual_seed(1)
    network = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 3}
    label = replace(brain_tumour_contract().labels[0], name="brain", value=1)
    metadata = Metadata(
        name="brain-finder", version="v1", title="Brain finder", intended_use="Tests.", network=network,
        channels=channels, spacing=(4.0, 4.0, 4.0), patch=(32, 32, 32),
    )  # fmt: skip
    ModelFolder.write(
        tmp_path / "brain-finder", metadata, LabelContract((label,), (Region("brain", ("brain",)),)),
        build(network, len(channels), 1).state_dict(), "# Brain finder\n",
    )  # fmt: skip
    ModelStore().install(tmp_path / "brain-finder")


@pytest.mark.parametrize("channels", [("T2", "T1c"), ("FLAIR",), ("MRI",)], ids=["with reference", "without", "any"])
def test_a_model_finds_the_brain_once(study: Study, tmp_path: Path, channels: tuple[str, ...]) -> None:
    from convnextseg_engine.inference.loaded import load
    from convnextseg_engine.inference.segment import segment
    from convnextseg_engine.preparing.brain_mask import on_grid

    _brain_model(tmp_path, channels)
    head, _mask = with_skull(study, noise=True)
    options = PreparationOptions("off", brain_mask_model="brain-finder", expectations=False, device="cpu")
    first = prepare_study(head, None, options)
    assert _states(first)["brain mask"] == "done"
    given = {name: head.channels.get(name, head.channels["T1c"]) for name in channels}
    reference = "T1c" if "T1c" in channels else channels[0]
    expected = segment(Study(given, reference), load(ModelStore().open("brain-finder"), "cpu")).mask == 1
    assert expected.any() and not expected.all()
    inside = on_grid(mask_image(expected, head.reference_grid), head.reference_grid)
    after = sitk.GetArrayViewFromImage(first.study.channels["T1"])
    np.testing.assert_array_equal(after, np.where(inside, sitk.GetArrayViewFromImage(head.channels["T1"]), 0))
    second = prepare_study(head, None, options)
    assert _states(second)["brain mask"] == "cached"
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(second.study.channels["T1"]), after)


def test_no_model_runs_where_the_skull_is_gone(study: Study, tmp_path: Path) -> None:
    _brain_model(tmp_path, ("T1",))
    options = PreparationOptions("off", brain_mask_model="brain-finder", expectations=False, device="cpu")
    prepared = prepare_study(study, None, options)
    assert _states(prepared)["brain mask"] == "not needed"
    assert prepared.study.channels == study.channels


def test_a_model_without_a_brain_is_refused(study: Study) -> None:
    head, _mask = with_skull(study, noise=True)
    with pytest.raises(InputError) as caught:
        prepare_study(head, None, PreparationOptions("off", brain_mask_model="demo-brain-tumour"))
    assert caught.value.code == "no-brain-model"
