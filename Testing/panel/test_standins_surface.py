"""The copied API surface equals its source, and the real ``slicer.util`` has the signatures it lists."""

from __future__ import annotations

import importlib.util
import inspect

import pytest

import slicer
from standins.surface import class_surface, python_module


@pytest.mark.real_data
def test_the_copy_equals_the_shared_facts(repository, shared):
    path = repository / "scripts" / "build_api_surface.py"
    spec = importlib.util.spec_from_file_location("build_api_surface", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = (repository / "Testing" / "standins" / "api_surface.json").read_text(encoding="utf-8")
    assert written == script.rendered(script.build(shared / "slicer_api"))


def test_the_wheels_functions_have_the_listed_arguments():
    differing = []
    for name, arguments in python_module("slicer.util")["functions"].items():
        function = getattr(slicer.util, name, None)
        listed = [argument.partition("=")[0].lstrip("*") for argument in arguments if argument.strip("*")]
        if function is None or list(inspect.signature(inspect.unwrap(function)).parameters) != listed:
            differing.append(name)
    assert differing == []


@pytest.mark.parametrize("class_name", ["ScriptedLoadableModule", "ScriptedLoadableModuleWidget"])
@pytest.mark.usefixtures("slicer_panel_environment")
def test_our_base_classes_offer_no_more_than_slicers(class_name):
    from slicer import ScriptedLoadableModule as module

    ours = {name for name in vars(getattr(module, class_name)) if not name.startswith("_")}
    listed = python_module("slicer.ScriptedLoadableModule")["classes"][class_name]["methods"]
    assert ours <= set(listed)


def test_qt6_and_qt5_are_both_respected():
    assert "currentIndexChanged(QString)" not in class_surface("QComboBox").signals["currentIndexChanged"]
    assert "singleShot" not in class_surface("QTimer").properties
    assert class_surface("QKeyEvent").chain == ("QKeyEvent", "QInputEvent", "QEvent")
