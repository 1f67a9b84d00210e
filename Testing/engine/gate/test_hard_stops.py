"""Single cases that no average may hide."""

from __future__ import annotations

import pytest

from convnextseg_engine.training.gate.hard_stops import hard_stops
from engine.gate.made_scores import LABELS, REGIONS, changed, evaluation, versions


def rules(candidate, other) -> set[tuple[str, str, str]]:
    return {(stop.rule, stop.case, stop.target) for stop in hard_stops(candidate, other, "current")}


def test_an_equal_candidate_gives_no_stop():
    candidate, current, _ = versions([0.0, 0.01, -0.05])
    assert hard_stops(candidate, current, "current") == []


@pytest.mark.parametrize("target", REGIONS + LABELS)
def test_a_vanished_label_or_region_stops_whichever_it_is(target):
    candidate, current, _ = versions([0.0, 0.0])
    candidate = changed(candidate, 1, target, dice=0.0, volume_ml=0.0, hd95_mm=None)
    assert ("vanished", "case-1", target) in rules(candidate, current)


def test_a_tiny_label_that_vanishes_stops_too():
    candidate, current, _ = versions([0.0])
    current = changed(current, 0, "core", dice=0.4, volume_ml=0.05, reference_ml=0.06)
    candidate = changed(candidate, 0, "core", dice=0.0, volume_ml=0.0, reference_ml=0.06)
    assert rules(candidate, current) == {("vanished", "case-0", "core")}


def test_what_the_current_version_did_not_find_cannot_vanish():
    candidate, current, _ = versions([0.0])
    missed = {"dice": 0.0, "volume_ml": 0.0, "hd95_mm": None}
    assert rules(changed(candidate, 0, "core", **missed), changed(current, 0, "core", **missed)) == set()


@pytest.mark.parametrize("target", REGIONS + LABELS)
def test_a_loss_of_a_tenth_in_any_label_or_region_stops(target):
    candidate, current, _ = versions([0.0, 0.0])
    assert ("lost dice", "case-0", target) in rules(changed(candidate, 0, target, dice=0.60), current)
    assert rules(changed(candidate, 0, target, dice=0.61), current) == set()


def test_a_loss_of_a_tenth_in_the_mean_stops_even_if_every_label_is_tiny():
    candidate, current, _ = versions([-0.10])
    for name in REGIONS + LABELS:
        candidate, current = (changed(e, 0, name, reference_ml=0.5, volume_ml=0.5) for e in (candidate, current))
    assert rules(candidate, current) == {("lost dice", "case-0", "mean over regions")}


def test_a_doubled_volume_stops_unless_it_is_nearer_to_the_truth():
    candidate, current, _ = versions([0.0])
    assert rules(changed(candidate, 0, "edema", volume_ml=40.0), current) == {("volume doubled", "case-0", "edema")}
    assert rules(changed(candidate, 0, "edema", volume_ml=39.0), current) == set()
    halved = changed(current, 0, "edema", volume_ml=10.0)
    assert rules(changed(candidate, 0, "edema", volume_ml=21.0), halved) == set()


def test_a_tumour_marked_where_none_is_stops_from_one_millilitre():
    nothing = {"dice": 1.0, "volume_ml": 0.0, "reference_ml": 0.0, "hd95_mm": None}
    candidate, current, _ = versions([0.0])
    current = changed(current, 0, "enhancing", **nothing)
    marked = changed(candidate, 0, "enhancing", **(nothing | {"dice": 0.0, "volume_ml": 1.0}))
    assert rules(marked, current) == {("volume doubled", "case-0", "enhancing")}
    speck = changed(candidate, 0, "enhancing", **(nothing | {"dice": 0.0, "volume_ml": 0.004}))
    assert rules(speck, current) == set()


def test_each_message_names_the_case_the_label_and_the_version():
    candidate, current = evaluation("v2", [0.5]), evaluation("v1", [0.7])
    messages = [stop.message for stop in hard_stops(candidate, current, "first")]
    assert len(messages) == 1 + len(REGIONS + LABELS)
    assert all("case-0" in message and "first version" in message for message in messages)
    assert any("edema: Dice fell from 0.70 to 0.50" in message for message in messages)
