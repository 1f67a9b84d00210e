"""The label contract, its regions, and Slicer's terminology text."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convnextseg_engine.errors import InputError
from convnextseg_engine.labels.contract import Code, LabelContract, Region
from convnextseg_engine.labels.regions import labels_from_regions, regions_of
from convnextseg_engine.labels.terminology import anatomy_code, terminology_entry, type_code


def test_json_round_trip(contract):
    assert LabelContract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


def test_an_unknown_name_is_refused_with_the_known_ones(contract):
    assert contract.label("core").value == 1
    with pytest.raises(InputError, match="edema, core, enhancing"):
        contract.label("cyst")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: dataclasses.replace(c, labels=(*c.labels, c.labels[0])), "uses a name twice"),
        (
            lambda c: dataclasses.replace(c, labels=(*c.labels[:2], dataclasses.replace(c.labels[2], value=1))),
            "uses a value twice",
        ),
        (lambda c: dataclasses.replace(c, labels=(dataclasses.replace(c.labels[0], value=256),)), "outside 1 to 255"),
        (lambda c: dataclasses.replace(c, regions=(Region("all", ("cyst",)),)), "labels that do not exist: cyst"),
        (lambda c: dataclasses.replace(c, regions=tuple(reversed(c.regions))), "does not lie within"),
    ],
)
def test_a_contradictory_contract_is_refused(contract, change, words):
    with pytest.raises(InputError, match=words):
        change(contract)


@pytest.mark.parametrize("missing", ["name", "value", "type", "category", "color"])
def test_an_incomplete_file_is_refused(contract, missing):
    data = contract.to_dict()
    del data["labels"][1][missing]
    with pytest.raises(InputError, match="cannot be read"):
        LabelContract.from_dict(data)


def test_a_contract_of_a_later_format_is_refused(contract):
    with pytest.raises(InputError, match="its format is 2"):
        LabelContract.from_dict(contract.to_dict() | {"format": 2})


def test_regions_are_unions(contract, mask):
    whole, core, enhancing = regions_of(mask, contract)
    assert np.array_equal(whole, mask > 0)
    assert np.array_equal(core, (mask == 1) | (mask == 4))
    assert np.array_equal(enhancing, mask == 4)


@settings(max_examples=30, deadline=None)
@given(values=hnp.arrays(np.uint8, (3, 4, 5), elements=st.sampled_from([0, 1, 2, 4])))
def test_labels_come_back_from_their_regions(contract, values):
    assert np.array_equal(labels_from_regions(regions_of(values, contract).astype(np.float32), contract), values)


def test_an_inner_region_cannot_appear_outside_an_outer_one(contract):
    probabilities = np.array([0.2, 0.9, 0.9]).reshape(3, 1, 1, 1)
    assert labels_from_regions(probabilities, contract).item() == 0
    probabilities = np.array([0.9, 0.2, 0.9]).reshape(3, 1, 1, 1)
    assert labels_from_regions(probabilities, contract).item() == contract.label("edema").value


def test_terminology_text_says_what_and_where(contract):
    entry = terminology_entry(contract.label("edema"))
    assert entry == (
        "Segmentation category and type - DICOM master list~SCT^49755003^Morphologically Altered Structure"
        "~SCT^79654002^Edema~^^~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^"
    )
    assert type_code(entry) == Code("SCT", "79654002", "Edema")
    assert anatomy_code(entry) == Code("SCT", "12738006", "Brain")


def test_a_label_without_anatomy_states_none(contract):
    entry = terminology_entry(dataclasses.replace(contract.label("core"), anatomy=None))
    assert anatomy_code(entry) is None
    assert type_code(entry) == contract.label("core").type


@pytest.mark.parametrize("entry", [None, "", "~", "a~b~c", "~~^^~~~^^~", "~~SCT^~~~~"])
def test_a_damaged_terminology_text_states_nothing(entry):
    assert type_code(entry) is None
    assert anatomy_code(entry) is None
