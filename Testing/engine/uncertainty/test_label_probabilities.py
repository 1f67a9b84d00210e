from __future__ import annotations

import numpy as np
import pytest

from convnextseg_engine.images.grid import Grid
from convnextseg_engine.labels.contract import Code, Label, LabelContract, Region
from convnextseg_engine.labels.regions import labels_from_regions
from convnextseg_engine.uncertainty.calibrated import calibrated
from convnextseg_engine.uncertainty.label_probabilities import label_probabilities
from convnextseg_engine.uncertainty.measures import entropy, expected_error
from convnextseg_engine.uncertainty.slices import doubtful_slices
from convnextseg_engine.uncertainty.summary import uncertainty_of
from convnextseg_engine.uncertainty.temperature import with_temperature

GRID = Grid((2, 2, 2), (20.0, 10.0, 10.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))  # 2 mL a voxel
CODE = Code("SCT", "1", "x")
LABELS = tuple(
    Label(name, value, CODE, CODE, None, (1, 0, 0)) for name, value in (("core", 1), ("edema", 2), ("et", 4))
)
NESTED = LabelContract(
    LABELS, (Region("whole", ("core", "edema", "et")), Region("tumour core", ("core", "et")), Region("et", ("et",)))
)
EXCLUSIVE = LabelContract(LABELS, tuple(Region(label.name, (label.name,)) for label in LABELS), outputs="exclusive")
ORDERED = LabelContract(
    LABELS,
    (
        Region("whole", ("core", "edema", "et"), writes="edema"),
        Region("tc", ("core", "et"), writes="core"),
        Region("et", ("et",), writes="et"),
    ),
    outputs="ordered",
)


def column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, None, None, None]


def test_a_label_has_what_its_region_has_beyond_the_next() -> None:
    labels = label_probabilities(column(0.9, 0.6, 0.25), NESTED).ravel()  # background, core, edema, et
    np.testing.assert_allclose(labels, [0.1, 0.35, 0.3, 0.25], atol=1e-6)


def test_an_inner_region_is_never_more_probable_than_an_outer_one() -> None:
    labels = label_probabilities(column(0.4, 0.9, 0.1), NESTED).ravel()
    np.testing.assert_allclose(labels, [0.6, 0.3, 0.0, 0.1], atol=1e-6)


def test_later_regions_write_over_earlier_ones() -> None:
    labels = label_probabilities(column(0.8, 0.5, 0.5), ORDERED).ravel()
    np.testing.assert_allclose(labels, [0.2 * 0.25, 0.25, 0.8 * 0.25, 0.5], atol=1e-6)


@pytest.mark.parametrize("contract", [NESTED, EXCLUSIVE, ORDERED])
def test_probabilities_add_up_and_certain_ones_give_the_mask(contract: LabelContract) -> None:
    rng = np.random.default_rng(0)
    regions = rng.random((3, 4, 5, 6), dtype=np.float32) / (3 if contract is EXCLUSIVE else 1)
    np.testing.assert_allclose(label_probabilities(regions, contract).sum(axis=0), 1, atol=1e-5)
    sure = np.zeros((3, 1, 1, 8), dtype=np.float32)
    for voxel in range(8):
        for region in range(3):
            sure[region, 0, 0, voxel] = voxel >> region & 1
    if contract is EXCLUSIVE:
        sure = sure[..., [0, 1, 2, 4]]
    chosen = label_probabilities(sure, contract).argmax(axis=0)
    values = np.array([0, *(label.value for label in contract.labels)])
    np.testing.assert_array_equal(values[chosen], labels_from_regions(sure, contract))


def test_entropy_and_expected_error_at_their_ends() -> None:
    sure, torn = column(1, 0, 0, 0), column(0.25, 0.25, 0.25, 0.25)
    assert entropy(sure).item() == pytest.approx(0, abs=1e-6)
    assert entropy(torn).item() == pytest.approx(1, abs=1e-6)
    assert expected_error(sure).item() == 0
    assert expected_error(torn).item() == 0.75


def test_slices_come_by_expected_error_and_sure_ones_not_at_all() -> None:
    errors = np.zeros((5, 2, 2), dtype=np.float32)
    errors[1], errors[4], errors[3, 0, 0] = 0.1, 0.5, 0.2
    found = doubtful_slices(errors, voxel_ml=0.5, count=10)
    assert [one.index for one in found] == [4, 1, 3]
    assert [one.expected_error_ml for one in found] == pytest.approx([1.0, 0.2, 0.1])
    assert [one.index for one in doubtful_slices(errors, 0.5, count=2)] == [4, 1]


@pytest.mark.parametrize("contract", [NESTED, EXCLUSIVE, ORDERED])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperatures_leave_the_mask_alone(contract: LabelContract, temperature: float) -> None:
    rng = np.random.default_rng(1)
    regions = rng.random((3, 6, 6, 6), dtype=np.float32) / (2 if contract is EXCLUSIVE else 1)
    regions /= np.maximum(regions.sum(axis=0), 1) if contract is EXCLUSIVE else 1
    warm = with_temperature(regions, contract, {region.name: temperature for region in contract.regions})
    np.testing.assert_array_equal(labels_from_regions(warm, contract), labels_from_regions(regions, contract))
    if temperature > 1:
        labels, before = label_probabilities(warm, contract), label_probabilities(regions, contract)
        assert entropy(labels).mean() > entropy(before).mean()


def test_the_summary_says_what_was_measured() -> None:
    regions = np.zeros((3, 2, 2, 2), dtype=np.float32)
    regions[0, 0] = 0.8  # four voxels that are edema with a probability of 0.8
    mask = labels_from_regions(regions, NESTED)
    found = uncertainty_of(regions, mask, NESTED, GRID, temperatures={})
    core, edema, _et = found.labels
    assert (edema.name, edema.volume_ml) == ("edema", pytest.approx(8.0))
    assert edema.expected_ml == pytest.approx(6.4)
    assert edema.confidence == pytest.approx(0.8)
    assert (core.volume_ml, core.confidence, core.entropy) == (0.0, None, None)
    assert [(one.index, round(one.expected_error_ml, 4)) for one in found.slices] == [(0, 1.6)]
    assert found.to_dict()["calibrated"] is False


@pytest.mark.parametrize("contract", [NESTED, EXCLUSIVE, ORDERED])
def test_temperatures_hold_near_what_was_drawn_and_nowhere_else(contract: LabelContract) -> None:
    grid = Grid((60, 4, 4), (1.0, 1.0, 1.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    regions = np.full((3, 4, 4, 60), 0.02, dtype=np.float32)
    regions[0, :, :, :20] = 0.9
    mask = labels_from_regions(regions, contract)
    assert mask[0, 0, 19] and not mask[0, 0, 20]
    warm = calibrated(regions, mask, contract, {region.name: 3.0 for region in contract.regions}, grid)
    assert warm[0, 2, 2, 25] > 0.1
    np.testing.assert_array_equal(warm[..., 40:], regions[..., 40:])
    np.testing.assert_array_equal(labels_from_regions(warm, contract), mask)
    assert calibrated(regions, mask, contract, {}, grid) is regions
