"""A brain mask: read, grown, brought to each channel by its place in the patient, and used only where it is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.resample import resample
from convnextseg_engine.labels.contract import LabelContract, Region
from convnextseg_engine.labels.seg_nrrd import write_seg_nrrd
from convnextseg_engine.preparing.brain_mask import dilated, mask_image, masked, on_grid, read_brain_mask
from convnextseg_engine.preparing.options import PreparationOptions
from convnextseg_engine.preparing.skull import is_skull_stripped
from convnextseg_engine.preparing.workflow import prepare_study
from convnextseg_engine.synthetic.brain import brain_tumour_contract
from engine.preparing.head_phantom import brain_study, with_skull

_GRID = Grid((20, 24, 28), (2.0, 1.5, 1.0), (10.0, -20.0, 30.0), (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))


def _ball(grid: Grid, radius_mm: float) -> np.ndarray:
    middle = grid.corners().mean(axis=0)
    k, j, i = np.indices(grid.shape)
    places = np.stack([i, j, k], axis=-1) @ grid.ijk_to_lps[:3, :3].T + np.array(grid.origin)
    return np.linalg.norm(places - middle, axis=-1) <= radius_mm


def test_an_image_is_brain_where_it_is_not_zero(tmp_path) -> None:
    ball = _ball(_GRID, 8.0)
    write_image(_GRID.image((ball * 3).astype(np.int16)), tmp_path / "mask.nrrd")
    mask = read_brain_mask(tmp_path / "mask.nrrd")
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(mask) != 0, ball)
    assert Grid.from_image(mask).same_as(_GRID)


@pytest.mark.parametrize("names", [("brain", "tumour"), ("tumour", "Brain")])
def test_of_several_segments_the_one_called_brain_is_taken(tmp_path, names) -> None:
    example = brain_tumour_contract().labels[0]
    labels = [replace(example, name=name, value=value) for value, name in enumerate(names, start=1)]
    contract = LabelContract(tuple(labels), tuple(Region(label.name, (label.name,)) for label in labels), "exclusive")
    mask = np.zeros(_GRID.shape, np.uint8)
    mask[4:10], mask[15:20] = 1, 2
    write_seg_nrrd(tmp_path / "mask.seg.nrrd", mask, _GRID, contract)
    value = 1 + [name.lower() for name in names].index("brain")
    found = sitk.GetArrayFromImage(read_brain_mask(tmp_path / "mask.seg.nrrd")) != 0
    np.testing.assert_array_equal(found, mask == value)


def test_an_empty_mask_is_refused(tmp_path) -> None:
    write_image(_GRID.image(np.zeros(_GRID.shape, np.uint8)), tmp_path / "mask.nrrd")
    with pytest.raises(InputError) as caught:
        read_brain_mask(tmp_path / "mask.nrrd")
    assert caught.value.code == "empty-brain-mask"


def test_growing_is_in_millimetres_along_every_axis() -> None:
    grown = dilated(mask_image(_ball(_GRID, 6.0), _GRID), 4.0)
    found = on_grid(grown, _GRID)
    assert not (found & ~_ball(_GRID, 10.1)).any()
    assert not (_ball(_GRID, 8.5) & ~found).any()
    assert Grid.from_image(grown).size > _GRID.size, "it may grow beyond its image"
    same = mask_image(_ball(_GRID, 6.0), _GRID)
    assert dilated(same, 0.0) is same


def test_it_comes_to_a_channel_by_place_and_not_by_index() -> None:
    target = Grid((40, 36, 20), (1.0, 1.0, 2.0), tuple(_GRID.corners().mean(axis=0) - 18), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    found = on_grid(mask_image(_ball(_GRID, 9.0), _GRID), target)
    middle = _GRID.corners().mean(axis=0)
    k, j, i = np.nonzero(found)
    places = np.stack([i, j, k], axis=-1) @ target.ijk_to_lps[:3, :3].T + np.array(target.origin)
    assert np.linalg.norm(places.mean(axis=0) - middle) < 0.5
    assert np.linalg.norm(places - middle, axis=1).max() < 9.0 + 1.5


def test_outside_it_is_exactly_zero_and_inside_nothing_changes() -> None:
    chance = np.random.default_rng(2)
    array = chance.integers(-50, 900, size=_GRID.shape).astype(np.int16)
    ball = _ball(_GRID, 8.0)
    image = _GRID.image(array)
    result = sitk.GetArrayFromImage(masked(image, mask_image(ball, _GRID), "T1"))
    np.testing.assert_array_equal(result, np.where(ball, array, 0))
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), array)


def test_a_mask_that_lies_elsewhere_is_refused() -> None:
    mask = mask_image(_ball(_GRID, 8.0), _GRID)
    mask.SetOrigin((900.0, 0.0, 0.0))
    with pytest.raises(InputError) as caught:
        masked(_GRID.image(np.ones(_GRID.shape, np.float32)), mask, "T1")
    assert caught.value.code == "brain-mask-elsewhere"


@pytest.mark.parametrize("noise", [True, False], ids=["noise in the air", "air set to zero"])
def test_a_head_is_told_from_a_brain(noise: bool) -> None:
    study = brain_study()
    head, _mask = with_skull(study, noise=noise)
    assert all(is_skull_stripped(image) for image in study.channels.values())
    assert not any(is_skull_stripped(image) for image in head.channels.values())


def test_a_masked_head_is_a_brain_and_is_masked_once_only() -> None:
    study = brain_study()
    head, mask = with_skull(study, noise=True)
    options = PreparationOptions(register="off", brain_mask=mask, expectations=False, use_cache=False)
    first = prepare_study(head, None, options)
    assert all(is_skull_stripped(image) for image in first.study.channels.values())
    (step,) = [step for step in first.steps if step.name == "brain mask"]
    assert step.state == "done"
    again = prepare_study(first.study, None, options)
    (step,) = [step for step in again.steps if step.name == "brain mask"]
    assert step.state == "not needed"
    assert again.study.channels["T1"] is first.study.channels["T1"]


def test_a_mask_that_knows_better_than_an_earlier_one_is_used() -> None:
    study = brain_study()
    inside = sitk.GetArrayFromImage(study.channels["T1"]) != 0
    inside[: inside.shape[0] // 2] = False
    mask = mask_image(inside, study.reference_grid)
    options = PreparationOptions(register="off", brain_mask=mask, expectations=False, use_cache=False)
    prepared = prepare_study(study, None, options)
    assert not sitk.GetArrayViewFromImage(prepared.study.channels["T1"])[: inside.shape[0] // 2].any()


def test_each_channel_is_masked_on_its_own_voxels() -> None:
    study = brain_study()
    head, mask = with_skull(study, noise=True)
    other = Grid((70, 60, 40), (2.0, 2.6, 3.9), tuple(head.reference_grid.outer_box()[0]), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    head.channels["T2"] = resample(head.channels["T2"], other)
    options = PreparationOptions(register="off", brain_mask=mask, expectations=False, use_cache=False)
    result = prepare_study(head, None, options).study
    assert Grid.from_image(result.channels["T2"]).same_as(other)
    volume = {
        name: np.count_nonzero(sitk.GetArrayViewFromImage(result.channels[name]))
        * Grid.from_image(result.channels[name]).voxel_ml
        for name in ("T1", "T2")
    }
    assert volume["T2"] == pytest.approx(volume["T1"], rel=0.06)


@pytest.mark.real_data
def test_real_images_without_skull_are_known_and_others_are_not(shared_data) -> None:
    without = ["brats2021/BraTS2021_00006/t2.nii.gz", "brats2021/BraTS2021_01482/flair.nii.gz",
               "oblique/BraTS2021_01661-clinical/t1.nii.gz", "oblique/BraTS2021_01661-clinical/t1ce.nii.gz",
               "ms/cross_patient07_mni/t1.nii.gz", "ms/cross_patient19_mni/flair.nii.gz"]  # fmt: skip
    others = [
        "sts/STS_002/mr_t1.nii.gz",
        "sts/STS_002/ct.nii.gz",
        "dicom/STS_002/MR_T1/image",
        "dicom/QIN-PROSTATE-001/ADC",
    ]
    assert [path for path in without if not is_skull_stripped(read_image(shared_data / path))] == []
    assert [path for path in others if is_skull_stripped(read_image(shared_data / path))] == []
