"""From segments to a mask: identified by code and name, never by order; what is doubtful is refused."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.check import SegmentInfo, compose_mask
from convnextseg_engine.labels.contract import Code, Label, LabelContract, Region

TISSUE = Code("SCT", "85756007", "Tissue")  # what Slicer gives a new segment


@pytest.fixture
def segments(contract, mask) -> list[SegmentInfo]:
    return [SegmentInfo(x.name, x.type, mask == x.value, x.anatomy) for x in contract.labels]


def changed(segments: list[SegmentInfo], name: str, **fields) -> list[SegmentInfo]:
    return [dataclasses.replace(s, **fields) if s.name == name else s for s in segments]


def test_the_order_of_segments_does_not_matter(segments, contract, mask):
    for order in itertools.permutations(segments):
        assert np.array_equal(compose_mask(order, contract), mask)


def test_renamed_segments_are_known_by_their_codes(segments, contract, mask):
    renamed = [dataclasses.replace(s, name=f"Segment_{n}") for n, s in enumerate(segments)]
    assert np.array_equal(compose_mask(renamed, contract), mask)


def test_segments_without_a_code_are_known_by_their_names(segments, contract, mask):
    for code in (None, TISSUE):
        plain = [dataclasses.replace(s, name=f" {s.name.upper()} ", code=code) for s in segments]
        assert np.array_equal(compose_mask(plain, contract), mask)


def test_an_empty_segment_means_that_there_is_none(segments, contract, mask):
    without = changed(segments, "enhancing", array=np.zeros(mask.shape, bool))
    assert np.array_equal(compose_mask(without, contract), np.where(mask == 4, 0, mask))


def test_an_absent_segment_is_refused_with_what_to_do(segments, contract):
    with pytest.raises(InputError, match="“enhancing” is missing") as caught:
        compose_mask(segments[:2], contract)
    assert caught.value.code == "missing-label"
    assert "add an empty segment named “enhancing”" in caught.value.remedy


def test_an_unknown_segment_is_refused_by_name_unless_it_is_empty(segments, contract, mask):
    ventricles = SegmentInfo("ventricles", TISSUE, np.zeros(mask.shape, bool))
    assert np.array_equal(compose_mask([ventricles, *segments], contract), mask)
    ventricles.array[0, 0, 0] = True
    with pytest.raises(InputError, match="“ventricles” is not a label") as caught:
        compose_mask([*segments, ventricles], contract)
    assert caught.value.code == "unknown-segment"


def test_a_label_that_appears_twice_is_refused_with_both_names(segments, contract):
    twin = dataclasses.replace(segments[0], name="edema left")
    with pytest.raises(InputError, match="“edema” and “edema left” are both the label “edema”"):
        compose_mask([*segments, twin], contract)


def test_name_against_code_is_refused(segments, contract):
    swapped = changed(segments, "edema", code=contract.label("core").type)
    with pytest.raises(InputError, match="“edema” has the terminology of the label “core”") as caught:
        compose_mask(swapped, contract)
    assert caught.value.code == "name-against-code"


@pytest.mark.parametrize("reverse", [False, True])
def test_overlapping_segments_are_refused_with_names_and_count(segments, contract, mask, reverse):
    grown = segments[1].array.copy()
    grown[1, 2, 1:4] = True  # three voxels of edema
    overlapping = changed(segments, "core", array=grown)
    with pytest.raises(InputError, match="overlap in 3 voxels") as caught:
        compose_mask(overlapping[:: -1 if reverse else 1], contract)
    assert "“core”" in caught.value.message
    assert "“edema”" in caught.value.message


def test_segments_of_another_size_are_refused_by_name(segments, contract, mask, grid):
    smaller = changed(segments, "core", array=segments[1].array[:-1])
    with pytest.raises(InputError, match=r"“core” does not lie on the grid.*9×8×6 voxels, the image 9×8×7"):
        compose_mask(smaller, contract)
    with pytest.raises(InputError, match="“edema” does not lie on the grid"):
        compose_mask(segments, contract, Grid((9, 8, 8), grid.spacing, grid.origin, grid.direction))


def test_segments_between_the_voxels_are_refused_by_name(segments, contract, mask, grid):
    shifted = Grid(grid.size, grid.spacing, tuple(np.add(grid.origin, (0, 0, 0.001))), grid.direction)
    near = Grid(grid.size, grid.spacing, tuple(np.add(grid.origin, (0, 0, 0.00005))), grid.direction)
    lying = [dataclasses.replace(s, grid=near) for s in segments]
    assert np.array_equal(compose_mask(lying, contract, grid), mask)
    with pytest.raises(InputError, match=r"“core” does not lie on the grid.*between"):
        compose_mask(changed(lying, "core", grid=shifted), contract, grid)


def test_labels_of_one_type_are_told_apart_by_anatomy_then_by_name(mask):
    kind, category = Code("SCT", "123037004", "Anatomical Structure"), Code("SCT", "91723000", "Anatomical Structure")
    head, tail = Code("SCT", "1", "Anterior"), Code("SCT", "2", "Posterior")
    contract = LabelContract(
        (Label("anterior", 1, category, kind, head, (1, 0, 0)), Label("posterior", 2, category, kind, tail, (0, 1, 0))),
        (Region("all", ("anterior", "posterior")),),
    )
    truth = np.where(mask > 2, 0, mask)
    by_anatomy = [SegmentInfo("b", kind, truth == 2, tail), SegmentInfo("a", kind, truth == 1, head)]
    by_name = [SegmentInfo("posterior", kind, truth == 2), SegmentInfo("anterior", kind, truth == 1)]
    assert np.array_equal(compose_mask(by_anatomy, contract), truth)
    assert np.array_equal(compose_mask(by_name, contract), truth)
    with pytest.raises(InputError, match="“a” is not a label"):
        compose_mask([SegmentInfo("a", kind, truth == 1), by_name[0]], contract)
