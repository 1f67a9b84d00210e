"""The panel's choices live in one parameter node that survives saving, loading and closing."""

from __future__ import annotations

import pytest

import slicer
from ConvNeXtSegLib.parameters import MODULE_NAME, Parameters
from scene_phantoms import add_volume


@pytest.fixture
def parameters(scene):
    parameters = Parameters(scene)
    yield parameters
    parameters.release()


def choose(parameters, scene):
    parameters.model = "brain-tumour@v2"
    parameters.device = "cuda:0"
    parameters.case_set = "/data/my cases; with: odd <signs> & 'quotes'"
    parameters.recipe = "adapt-long"
    parameters.steps = 120
    parameters.set_channel("T1c", add_volume(scene, name="T1c"))
    parameters.set_channel("FLAIR", add_volume(scene, name="FLAIR"))
    parameters.reference_channel = "T1c"
    parameters.result = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")


def assert_work_choices(parameters):
    assert parameters.model == "brain-tumour@v2"
    assert parameters.device == "cuda:0"
    assert parameters.case_set == "/data/my cases; with: odd <signs> & 'quotes'"
    assert parameters.recipe == "adapt-long"
    assert parameters.steps == 120


def test_defaults(parameters):
    assert (parameters.model, parameters.device, parameters.recipe) == ("", "auto", "adapt")
    assert (parameters.case_set, parameters.steps, parameters.reference_channel) == ("", None, "")
    assert parameters.channels() == {}
    assert parameters.channel("T1") is None
    assert parameters.result is None


def test_choices_are_kept(parameters, scene):
    choose(parameters, scene)
    assert_work_choices(parameters)
    assert {name: node.GetName() for name, node in parameters.channels().items()} == {"T1c": "T1c", "FLAIR": "FLAIR"}
    assert parameters.reference_channel == "T1c"
    assert parameters.result.GetName() == "result"


def test_there_is_one_node_and_slicers_module_logic_finds_it(parameters, scene):
    other = Parameters(scene)
    assert other.node is parameters.node
    other.release()
    assert scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode") == 1
    node = scene.GetSingletonNode(MODULE_NAME, "vtkMRMLScriptedModuleNode")
    assert node is parameters.node
    assert node.GetAttribute("ModuleName") == MODULE_NAME


def test_saving_and_loading_brings_everything_back(parameters, scene, tmp_path):
    choose(parameters, scene)
    path = str(tmp_path / "scene.mrml")
    scene.SetURL(path)
    assert scene.Commit(path)
    scene.Clear(False)
    parameters.device = "cpu"
    parameters.model = "other"
    assert scene.Connect()
    assert_work_choices(parameters)
    assert {name: node.GetName() for name, node in parameters.channels().items()} == {"T1c": "T1c", "FLAIR": "FLAIR"}
    assert parameters.reference_channel == "T1c"
    assert parameters.result.GetName() == "result"


def test_importing_a_scene_does_not_make_a_second_node(parameters, scene, tmp_path):
    choose(parameters, scene)
    path = str(tmp_path / "scene.mrml")
    scene.SetURL(path)
    assert scene.Commit(path)
    assert scene.Import()
    assert scene.GetNumberOfNodesByClass("vtkMRMLScriptedModuleNode") == 1


def test_closing_the_scene_forgets_the_patient_and_keeps_the_way_of_working(parameters, scene):
    choose(parameters, scene)
    scene.Clear(False)
    assert_work_choices(parameters)
    assert parameters.channels() == {}
    assert parameters.reference_channel == ""
    assert parameters.result is None


def test_the_next_patients_first_volume_is_not_taken_for_the_last_ones(parameters, scene):
    choose(parameters, scene)
    scene.Clear(False)
    add_volume(scene, name="another patient")
    assert parameters.channels() == {}


def test_a_removed_volume_leaves_its_channel(parameters, scene):
    choose(parameters, scene)
    scene.RemoveNode(parameters.channel("T1c"))
    assert set(parameters.channels()) == {"FLAIR"}
    assert parameters.reference_channel == "FLAIR", "a channel that is not there cannot be the reference"


def test_a_channel_can_be_emptied(parameters, scene):
    choose(parameters, scene)
    parameters.set_channel("T1c", None)
    assert set(parameters.channels()) == {"FLAIR"}


def test_every_change_is_told_once_and_nothing_after_the_end(parameters, scene):
    volume = add_volume(scene)
    result = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "result")
    told = []
    end = parameters.observe(lambda: told.append(1))
    changes = (
        lambda: setattr(parameters, "model", "m"),
        lambda: setattr(parameters, "steps", 5),
        lambda: parameters.set_channel("T1", volume),
        lambda: setattr(parameters, "result", result),
        lambda: setattr(parameters, "reference_channel", "T1"),
    )
    for number, change in enumerate(changes, 1):
        change()
        assert len(told) == number
        change()  # the same again is no change
        assert len(told) == number
    end()
    parameters.model = "n"
    assert len(told) == len(changes)


def test_observers_go_on_after_the_scene_was_closed(parameters, scene):
    told = []
    end = parameters.observe(lambda: told.append(1))
    scene.Clear(False)
    told.clear()
    parameters.model = "m"
    assert told
    end()


def test_nonsense_steps_in_a_scene_file_mean_the_recipes_own(parameters):
    for text in ("many", "-5", "0", "", "²"):
        parameters.node.SetParameter("Steps", text)
        assert parameters.steps is None


def test_released_parameters_no_longer_follow_the_scene(scene):
    parameters = Parameters(scene)
    parameters.model = "m"
    parameters.release()
    scene.Clear(False)
    assert parameters.model == ""
    assert slicer.mrmlScene is scene
