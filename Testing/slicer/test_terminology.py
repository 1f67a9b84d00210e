"""The shipped terminology is one that Slicer loads, and it says the same as the label contract."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import vtk

import slicer
from convnextseg_engine.labels.terminology import OWN_CONTEXT, terminology_entry
from ConvNeXtSegLib.scene.terminology import TERMINOLOGY_FILE, load_terminology
from scene_phantoms import brain_contract


@pytest.fixture
def logic(scene):
    return slicer.modules.terminologies.logic()


def test_slicer_loads_it_once(logic):
    assert load_terminology(logic)
    assert load_terminology()
    names = vtk.vtkStringArray()
    logic.GetLoadedTerminologyNames(names)
    assert [names.GetValue(n) for n in range(names.GetNumberOfValues())].count(OWN_CONTEXT) == 1


def test_the_labels_of_the_contract_can_be_picked(logic, repository):
    load_terminology(logic)
    for label in brain_contract(repository).labels:
        entry = slicer.vtkSlicerTerminologyEntry()
        text = terminology_entry(label)
        assert logic.DeserializeTerminologyEntry(text, entry)
        category, kind = slicer.vtkSlicerTerminologyCategory(), slicer.vtkSlicerTerminologyType()
        assert find_category(logic, label.category, category)
        assert find_type(logic, category, label.type, kind)
        assert kind.GetCodeMeaning() == label.type.meaning
        assert kind.GetSlicerLabel() == label.name
        shown = [value / 255 for value in kind.GetRecommendedDisplayRGBValue()]
        assert shown == pytest.approx(label.color, abs=0.5 / 255 + 1e-3)


def test_the_file_is_what_dcmqi_calls_a_segment_context():
    data = json.loads(TERMINOLOGY_FILE.read_text(encoding="utf-8"))
    assert data["SegmentationCategoryTypeContextName"] == OWN_CONTEXT
    assert TERMINOLOGY_FILE.name.endswith(".term.json")
    for category in data["SegmentationCodes"]["Category"]:
        for entry in (category, *category["Type"]):
            assert {"CodeMeaning", "CodingSchemeDesignator", "CodeValue"} <= set(entry)


def test_without_the_terminologies_module_nothing_breaks(scene, monkeypatch):
    monkeypatch.setattr(slicer, "modules", SimpleNamespace())
    assert not load_terminology()


def find_category(logic, code, found):
    for n in range(logic.GetNumberOfCategoriesInTerminology(OWN_CONTEXT)):
        logic.GetNthCategoryInTerminology(OWN_CONTEXT, n, found)
        if (found.GetCodingSchemeDesignator(), found.GetCodeValue()) == (code.scheme, code.value):
            return True
    return False


def find_type(logic, category, code, found):
    for n in range(logic.GetNumberOfTypesInTerminologyCategory(OWN_CONTEXT, category)):
        logic.GetNthTypeInTerminologyCategory(OWN_CONTEXT, category, n, found)
        if (found.GetCodingSchemeDesignator(), found.GetCodeValue()) == (code.scheme, code.value):
            return True
    return False
