"""Label files of other tools: integers are never guessed, and voxels must be those of the image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image, write_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.resample import cropped_grid
from convnextseg_engine.labels.label_file import read_label
from convnextseg_engine.labels.seg_nrrd import write_seg_nrrd

VALUES = {"edema": 1, "core": 3, "enhancing": 7}


@pytest.fixture
def integers(mask) -> np.ndarray:
    """The mask as another tool numbers it."""
    other = np.zeros(mask.shape, np.int16)
    for mine, theirs in ((2, 1), (1, 3), (4, 7)):
        other[mask == mine] = theirs
    return other


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.seg.nrrd"])
def test_integers_mean_what_the_user_says(tmp_path, integers, mask, grid, contract, name):
    write_image(grid.image(integers), tmp_path / name)
    assert np.array_equal(read_label(tmp_path / name, contract, grid, VALUES), mask)


def test_integers_are_not_guessed_even_if_they_fit_the_contract(tmp_path, mask, grid, contract):
    write_image(grid.image(mask), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="nothing says what they mean") as caught:
        read_label(tmp_path / "a.nii.gz", contract, grid)
    assert "--label-values edema=2,core=1,enhancing=4" in caught.value.remedy


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"edema": 1, "core": 3}, "“enhancing”"),
        (VALUES | {"cyst": 9}, "“cyst” is not part of the contract"),
        (VALUES | {"core": 1}, "the same integer"),
        (VALUES | {"core": 0}, "one has 0"),
        (VALUES | {"enhancing": 8}, "holds the value 7, which no label has"),
    ],
)
def test_a_doubtful_meaning_is_refused(tmp_path, integers, grid, contract, values, words):
    write_image(grid.image(integers), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=words):
        read_label(tmp_path / "a.nii.gz", contract, grid, values)


def test_an_image_given_as_label_is_refused(tmp_path, grid, contract):
    write_image(grid.image(np.random.default_rng(0).normal(size=grid.shape)), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match="not an image"):
        read_label(tmp_path / "a.nii.gz", contract, grid, VALUES)


def test_a_missing_file_is_said_in_words(tmp_path, grid, contract):
    with pytest.raises(InputError, match="There is no file"):
        read_label(tmp_path / "a.seg.nrrd", contract, grid)


@pytest.mark.parametrize("axes", [(True, False, False), (False, False, True), (True, True, True)])
def test_the_same_voxels_counted_from_another_corner_are_the_same_mask(tmp_path, mask, grid, contract, axes):
    """Slicer turns left-handed volumes round when it loads them, and saves labels that way."""
    turned = sitk.Flip(grid.image(mask), axes, False)
    write_seg_nrrd(tmp_path / "a.seg.nrrd", sitk.GetArrayFromImage(turned), Grid.from_image(turned), contract)
    assert not Grid.from_image(turned).same_as(grid)
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)


def test_permuted_axes_are_the_same_mask(tmp_path, mask, grid, contract):
    turned = sitk.PermuteAxes(grid.image(mask), [2, 0, 1])
    write_seg_nrrd(tmp_path / "a.seg.nrrd", sitk.GetArrayFromImage(turned), Grid.from_image(turned), contract)
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)


def test_a_part_of_the_grid_is_put_into_its_place(tmp_path, mask, grid, contract):
    part = cropped_grid(grid, (1, 2, 1), (6, 5, 4))
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask[1:5, 2:7, 1:7], part, contract)
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)


def test_a_larger_file_is_accepted_unless_a_segment_leaves_the_image(tmp_path, mask, grid, contract):
    larger = cropped_grid(grid, (-2, -1, 0), (11, 9, 7))
    padded = np.pad(mask, ((0, 0), (1, 0), (2, 0)))
    write_seg_nrrd(tmp_path / "a.seg.nrrd", padded, larger, contract)
    assert np.array_equal(read_label(tmp_path / "a.seg.nrrd", contract, grid), mask)
    padded[3, 3, 0] = 1
    write_seg_nrrd(tmp_path / "a.seg.nrrd", padded, larger, contract)
    with pytest.raises(InputError, match="“core” reaches beyond the image"):
        read_label(tmp_path / "a.seg.nrrd", contract, grid)


def other_grids(grid: Grid):
    yield "shifted by a thousandth", {"origin": tuple(np.add(grid.origin, (0, 0, 0.001)))}
    yield "shifted by half a voxel", {"origin": tuple(np.add(grid.origin, (0, 0, 1.25)))}
    yield "coarser by a whole factor", {"spacing": (1.8, 2.2, 5.0), "size": (5, 4, 4)}
    yield "finer by a whole factor", {"spacing": (0.45, 1.1, 2.5), "size": (18, 8, 7)}
    yield "turned a little", {"direction": (0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1)[::-1]}


@pytest.mark.parametrize("case", range(5))
def test_voxels_that_are_not_those_of_the_image_are_refused_by_name(tmp_path, grid, contract, case):
    _, change = list(other_grids(grid))[case]
    other = dataclasses.replace(grid, **change)
    mask = np.zeros(other.shape, np.uint8)
    mask[0, 0, 0], mask[1, 1, 1], mask[2, 1, 1] = 2, 1, 4
    write_seg_nrrd(tmp_path / "a.seg.nrrd", mask, other, contract)
    with pytest.raises(InputError, match="does not lie on the grid") as caught:
        read_label(tmp_path / "a.seg.nrrd", contract, grid)
    assert caught.value.code == "off-grid"


@pytest.mark.real_data
def test_a_real_label_map_keeps_its_volumes(shared_data, contract):
    folder = shared_data / "brats2021" / "BraTS2021_01661"
    grid = Grid.from_image(read_image(folder / "t1ce.nii.gz"))
    mask = read_label(folder / "seg.nii.gz", contract, grid, {"core": 1, "edema": 2, "enhancing": 4})
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "seg.nii.gz")))
    assert np.array_equal(mask, truth)


def test_nifti_may_bend_the_axes_of_a_series_by_less_than_a_hundredth_of_a_voxel(tmp_path, integers, mask, contract):
    """DICOM positions are rounded, so axes are not exactly at right angles; NIfTI makes them so."""
    bent = np.eye(3)
    bent[0, 1] = 2e-4
    grid = Grid(mask.shape[::-1], (1.0, 1.0, 3.0), (-57.0, -80.0, 20.0), tuple(bent.ravel()))
    write_image(grid.image(integers), tmp_path / "a.nii.gz")
    assert not Grid.from_image(read_image(tmp_path / "a.nii.gz")).same_as(grid)
    assert np.array_equal(read_label(tmp_path / "a.nii.gz", contract, grid, VALUES), mask)
    moved = dataclasses.replace(grid, origin=(-57.02, -80.0, 20.0))
    with pytest.raises(InputError, match="grid of the image"):
        read_label(tmp_path / "a.nii.gz", contract, moved, VALUES)


def test_an_empty_map_of_another_image_is_refused_like_any_other(tmp_path, mask, grid, contract):
    write_image(grid.image(np.zeros_like(mask)), tmp_path / "a.nrrd")
    assert not read_label(tmp_path / "a.nrrd", contract, grid, VALUES).any()
    elsewhere = dataclasses.replace(grid, origin=(grid.origin[0] + 0.4, *grid.origin[1:]))
    with pytest.raises(InputError, match="grid of the image"):
        read_label(tmp_path / "a.nrrd", contract, elsewhere, VALUES)
