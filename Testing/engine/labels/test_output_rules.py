"""Contracts whose outputs exclude each other or are written in order."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convnextseg_engine.errors import InputError
from convnextseg_engine.inference.outputs import all_probabilities_of, probabilities_of
from convnextseg_engine.labels.contract import EXCLUSIVE, ORDERED, LabelContract, Region, exclusive_contract
from convnextseg_engine.labels.regions import labels_from_regions, regions_of


@pytest.fixture
def exclusive(contract: LabelContract) -> LabelContract:
    return exclusive_contract(contract.labels)


@pytest.fixture
def ordered(contract: LabelContract) -> LabelContract:
    """Regions that overlap without lying within each other."""
    return LabelContract(
        contract.labels,
        (
            Region("sick", ("edema", "enhancing"), "edema"),
            Region("core", ("core",), "core"),
            Region("active", ("enhancing", "core"), "enhancing"),
        ),
        ORDERED,
    )


def test_nested_contracts_are_written_as_before(contract: LabelContract) -> None:
    assert "outputs" not in contract.to_dict()
    assert all(set(region) == {"name", "labels"} for region in contract.to_dict()["regions"])


def test_rules_come_back_from_json(exclusive: LabelContract, ordered: LabelContract) -> None:
    for one in (exclusive, ordered):
        assert LabelContract.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_networks_have_an_output_more_where_background_is_one(contract, exclusive, ordered) -> None:
    assert [one.network_outputs for one in (contract, exclusive, ordered)] == [3, 4, 3]


def test_exclusive_labels_are_the_most_probable_and_background_has_the_rest(exclusive: LabelContract) -> None:
    probabilities = np.array([[0.2, 0.4, 0.1, 0.0], [0.1, 0.45, 0.1, 0.34], [0.2, 0.1, 0.1, 0.33]])
    mask = labels_from_regions(probabilities.reshape(3, 1, 1, 4), exclusive)
    values = [label.value for label in exclusive.labels]
    assert mask.ravel().tolist() == [0, values[1], 0, values[1]]


@settings(max_examples=50, deadline=None)
@given(logits=hnp.arrays(np.float32, (4, 2, 3, 2), elements=st.integers(-8, 8).map(lambda v: v / 2)))
def test_exclusive_labels_are_those_of_the_largest_output(logits: np.ndarray) -> None:
    from pathlib import Path

    import convnextseg_engine

    data = Path(convnextseg_engine.__file__).parent / "data" / "contracts" / "brain-tumour.json"
    exclusive = exclusive_contract(LabelContract.read(data).labels)
    best = np.sort(logits, axis=0)
    clear = best[-1] > best[-2]
    values = np.array([0, *(label.value for label in exclusive.labels)])
    mask = labels_from_regions(probabilities_of(logits, exclusive), exclusive)
    assert np.array_equal(mask[clear], values[logits.argmax(axis=0)][clear])


def test_probabilities_of_exclusive_outputs_sum_to_one(exclusive: LabelContract) -> None:
    logits = np.random.default_rng(0).normal(size=(4, 2, 2, 2)).astype(np.float16)
    whole = all_probabilities_of(logits, exclusive)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(axis=0), 1, atol=1e-6)
    assert np.array_equal(probabilities_of(logits, exclusive), whole[1:])


def test_probabilities_of_other_outputs_are_independent(contract: LabelContract, ordered: LabelContract) -> None:
    logits = np.zeros((3, 1, 1, 1), dtype=np.float32)
    for one in (contract, ordered):
        assert (probabilities_of(logits, one) == 0.5).all()


def test_later_regions_are_written_over_earlier_ones(ordered: LabelContract) -> None:
    probabilities = np.array([[0.9, 0.9, 0.1, 0.5], [0.1, 0.9, 0.9, 0.5], [0.1, 0.9, 0.1, 0.5]])
    mask = labels_from_regions(probabilities.reshape(3, 1, 1, 4), ordered)
    edema, core, enhancing = (ordered.label(name).value for name in ("edema", "core", "enhancing"))
    assert mask.ravel().tolist() == [edema, enhancing, core, 0]


def test_regions_of_a_mask_are_unions_under_every_rule(exclusive, ordered, mask: np.ndarray) -> None:
    for one in (exclusive, ordered):
        for region, inside in zip(one.regions, regions_of(mask, one), strict=True):
            assert np.array_equal(inside, np.isin(mask, [one.label(name).value for name in region.labels]))


def test_an_exclusive_mask_comes_back_from_its_regions(exclusive: LabelContract, mask: np.ndarray) -> None:
    assert np.array_equal(labels_from_regions(regions_of(mask, exclusive).astype(np.float32), exclusive), mask)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e, o: dataclasses.replace(e, outputs="softmax"), "does not know"),
        (lambda e, o: dataclasses.replace(e, regions=e.regions[::-1]), "regions are not the labels"),
        (lambda e, o: dataclasses.replace(e, regions=e.regions[:2]), "regions are not the labels"),
        (lambda e, o: dataclasses.replace(o, outputs=EXCLUSIVE), "regions are not the labels"),
        (
            lambda e, o: dataclasses.replace(o, regions=(*o.regions[:2], Region("x", ("core",)))),
            "which of its labels it writes",
        ),
        (
            lambda e, o: dataclasses.replace(o, regions=(*o.regions[:2], Region("x", ("core",), "edema"))),
            "which of its labels it writes",
        ),
        (lambda e, o: LabelContract(o.labels, (o.regions[1],)), "outputs are not ordered"),
    ],
)
def test_contradictions_are_refused(exclusive, ordered, change, words: str) -> None:
    with pytest.raises(InputError, match=words):
        change(exclusive, ordered)
