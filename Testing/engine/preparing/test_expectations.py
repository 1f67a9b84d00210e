"""What a model expects: good studies give no finding, each fault its own, with the step that mends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.resample import resample
from convnextseg_engine.images.study import Study
from convnextseg_engine.models.metadata import Metadata
from convnextseg_engine.preparing.expectations import expectations
from convnextseg_engine.synthetic.brain import synthetic_case
from engine.preparing.head_phantom import brain_study, with_skull

_METADATA = Metadata(
    name="a-model", version="v1", title="A model", intended_use="Tests.", network={"name": "mednext"},
    channels=("T1", "T1c", "T2", "FLAIR"), spacing=(2.0, 2.0, 2.0), patch=(64, 64, 64), skull_stripped=True,
)  # fmt: skip
_FILES = {"T1c": "t1ce", "T1": "t1", "T2": "t2", "FLAIR": "flair"}


@pytest.fixture(scope="module")
def study() -> Study:
    case = synthetic_case(3)
    return Study(dict(case.study.channels), "T1c")


def _names(study: Study, metadata: Metadata | None = _METADATA, aligned: bool = True) -> dict[str, tuple[str, ...]]:
    return {finding.name: finding.channels for finding in expectations(study, metadata, aligned=aligned)}


def _changed(study: Study, channel: str, image: sitk.Image) -> Study:
    return Study(study.channels | {channel: image}, study.reference)


def _with_array(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    return Grid.from_image(image).image(array)


def test_a_good_study_gives_no_finding(study: Study) -> None:
    assert _names(study) == {}


def test_a_skull_offers_the_brain_mask() -> None:
    head, _mask = with_skull(brain_study(), noise=True)
    (finding,) = [finding for finding in expectations(head, _METADATA, aligned=True) if finding.name == "skull"]
    assert finding.channels == ("T1", "T1c", "T2", "FLAIR")
    assert finding.option == "--brain-mask"
    assert "--brain-mask-model" in finding.remedy
    assert "skull" not in _names(head, replace(_METADATA, skull_stripped=False))
    assert "skull" not in _names(head, None)


def test_a_constant_channel_is_named(study: Study) -> None:
    array = np.full_like(sitk.GetArrayFromImage(study.channels["T2"]), 7)
    assert _names(_changed(study, "T2", _with_array(study.channels["T2"], array)))["constant"] == ("T2",)


def test_a_background_that_is_not_zero_offers_the_brain_mask(study: Study) -> None:
    array = sitk.GetArrayFromImage(study.channels["FLAIR"]).astype(np.float32)
    array[array == 0] = -1000
    moved = _changed(study, "FLAIR", _with_array(study.channels["FLAIR"], array))
    (finding,) = [finding for finding in expectations(moved, _METADATA, aligned=False) if finding.name == "background"]
    assert finding.channels == ("FLAIR",)
    assert finding.option == "--brain-mask"


def test_values_below_zero_are_named(study: Study) -> None:
    array = sitk.GetArrayFromImage(study.channels["T1"]).astype(np.float32)
    inside = array != 0
    array[inside] = (array[inside] - array[inside].mean()) / array[inside].std()
    changed = _changed(study, "T1", _with_array(study.channels["T1"], array))
    assert _names(changed, aligned=False)["negative"] == ("T1",)


def test_very_thick_slices_are_named(study: Study) -> None:
    grid = study.reference_grid
    thick = Grid((*grid.size[:2], 12), (*grid.spacing[:2], 12.0), grid.origin, grid.direction)
    changed = _changed(study, "FLAIR", resample(study.channels["FLAIR"], thick))
    assert _names(changed, aligned=False)["spacing"] == ("FLAIR",)


def test_a_slab_is_named(study: Study) -> None:
    reference = study.channels["T1c"]
    slab = Study({name: image[:, :, 40:60] for name, image in study.channels.items()}, "T1c")
    found = {f.name: f for f in expectations(slab, _METADATA, aligned=False)}
    assert found["field-of-view"].channels == ("T1c",)
    assert f"{20 * reference.GetSpacing()[2]:.0f} mm from foot to head" in found["field-of-view"].sentence


def test_a_channel_that_shows_less_than_the_reference_is_named(study: Study) -> None:
    half = study.channels["T2"][:, :, : study.channels["T2"].GetSize()[2] // 2]
    assert _names(_changed(study, "T2", half), aligned=False)["field-of-view"] == ("T2",)


def test_t1c_without_contrast_is_named(study: Study) -> None:
    array = sitk.GetArrayFromImage(study.channels["T1"]).astype(np.float32)
    noise = np.random.default_rng(4).normal(size=array.shape) * 0.05 * array[array != 0].std()
    repeated = np.where(array != 0, 1.2 * array + noise, 0).astype(np.float32)
    assert _names(_changed(study, "T1c", _with_array(study.channels["T1c"], repeated)))["contrast"] == ("T1", "T1c")


@pytest.mark.parametrize(("first", "second"), [("T1", "T2"), ("T2", "FLAIR")])
def test_channels_that_were_mixed_up_are_named(study: Study, first: str, second: str) -> None:
    channels = study.channels | {first: study.channels[second], second: study.channels[first]}
    assert "sequence" in _names(Study(channels, "T1c"))


def test_channels_that_do_not_lie_on_one_another_are_not_compared(study: Study) -> None:
    channels = study.channels | {"T1": study.channels["T2"], "T2": study.channels["T1"]}
    assert _names(Study(channels, "T1c"), aligned=False) == {}


def test_only_what_the_model_takes_is_looked_at(study: Study) -> None:
    array = np.full_like(sitk.GetArrayFromImage(study.channels["T2"]), 7)
    changed = _changed(study, "T2", _with_array(study.channels["T2"], array))
    assert _names(changed, replace(_METADATA, channels=("T1", "T1c", "FLAIR"))) == {}


@pytest.mark.real_data
@pytest.mark.parametrize(
    "folder",
    ["brats2021/BraTS2021_01482", "brats2021/BraTS2021_01476", "oblique/BraTS2021_01661-clinical",
     "ms/cross_patient07_mni"],
)  # fmt: skip
def test_good_real_studies_give_no_finding_and_mixed_up_ones_do(shared_data: Path, folder: str) -> None:
    study = Study({name: read_image(shared_data / folder / f"{file}.nii.gz") for name, file in _FILES.items()}, "T1c")
    assert _names(study) == {}
    mixed = study.channels | {"T1": study.channels["T2"], "T2": study.channels["T1"]}
    assert "sequence" in _names(Study(mixed, "T1c"))
    assert "contrast" in _names(_changed(study, "T1c", study.channels["T1"]))
