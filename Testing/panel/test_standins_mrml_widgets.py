"""Slicer's widgets over a real scene."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.usefixtures("slicer_panel_environment")

VOLUME = "vtkMRMLScalarVolumeNode"


@pytest.fixture
def selector(scene):
    import slicer

    made = slicer.qMRMLNodeComboBox()
    made.nodeTypes = [VOLUME]
    made.setMRMLScene(scene)
    return made


def test_a_selector_takes_the_first_node_unless_none_is_allowed(selector, scene):
    first = scene.AddNewNodeByClass(VOLUME, "a")
    scene.AddNewNodeByClass(VOLUME, "b")
    assert selector.currentNode() is first
    assert selector.nodeCount() == 2
    selector.noneEnabled = True
    selector.setCurrentNode(None)
    assert selector.currentNodeID == ""


def test_a_selector_tells_of_its_choice_three_ways(selector, scene):
    seen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: seen.append(node))
    selector.connect("currentNodeChanged(bool)", lambda valid: seen.append(valid))
    selector.connect("currentNodeIDChanged(QString)", lambda node_id: seen.append(node_id))
    node = scene.AddNewNodeByClass(VOLUME, "a")
    scene.RemoveNode(node)
    assert seen == [node, True, node.GetID() or "vtkMRMLScalarVolumeNode1", None, False, ""]


def test_the_plain_connection_of_an_overloaded_signal_gets_the_node(selector, scene):
    seen = []
    selector.currentNodeChanged.connect(seen.append)
    node = scene.AddNewNodeByClass(VOLUME, "a")
    assert seen == [node]


def test_a_selector_offers_what_fits_only(selector, scene):
    label = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "label")
    scene.AddNewNodeByClass("vtkMRMLModelNode", "model")
    hidden = scene.AddNewNodeByClass(VOLUME, "hidden")
    hidden.SetHideFromEditors(True)
    selector.setMRMLScene(None)
    selector.setMRMLScene(scene)
    assert selector.currentNode() is label
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 0
    selector.showHidden = True
    assert selector.currentNode() is hidden
    selector.addAttribute(VOLUME, "ConvNeXtSeg", "1")
    assert selector.nodeCount() == 0


def test_a_node_of_another_type_cannot_be_chosen(selector, scene):
    scene.AddNewNodeByClass(VOLUME, "a")
    selector.noneEnabled = True
    selector.setCurrentNode(scene.AddNewNodeByClass("vtkMRMLModelNode", "model"))
    assert selector.currentNode() is None


def test_an_id_chosen_before_the_node_is_there_is_remembered(selector, scene):
    selector.noneEnabled = True
    selector.currentNodeID = "vtkMRMLScalarVolumeNode1"
    assert selector.currentNode() is None
    node = scene.AddNewNodeByClass(VOLUME, "late")
    assert selector.currentNode() is node


def test_closing_the_scene_empties_the_selector(selector, scene):
    scene.AddNewNodeByClass(VOLUME, "a")
    seen = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", seen.append)
    scene.Clear(False)
    assert selector.currentNode() is None
    assert seen == [None]


def test_a_selector_without_scene_offers_nothing(scene):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    scene.AddNewNodeByClass(VOLUME, "a")
    assert selector.currentNode() is None
    with pytest.raises(ValueError):
        selector.setMRMLScene("scene")


@pytest.fixture
def editor(scene):
    import slicer

    made = slicer.qMRMLSegmentEditorWidget()
    made.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    made.setMRMLScene(scene)
    return made


def test_the_editor_wants_its_node_before_its_scene(scene):
    import slicer

    with pytest.raises(AssertionError, match="setMRMLSegmentEditorNode has to come before setMRMLScene"):
        slicer.qMRMLSegmentEditorWidget().setMRMLScene(scene)


def test_the_editor_writes_to_its_node(editor, scene):
    volume = scene.AddNewNodeByClass(VOLUME, "a")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "s")
    segmentation.GetSegmentation().AddEmptySegment("edema", "edema")
    with pytest.raises(AssertionError, match="after setSegmentationNode"):
        editor.setSourceVolumeNode(volume)
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(volume)
    node = editor.mrmlSegmentEditorNode()
    assert node.GetSegmentationNode() is segmentation
    assert node.GetSourceVolumeNode() is volume
    assert editor.currentSegmentID() == "edema"
    editor.setActiveEffectByName("Paint")
    assert editor.activeEffect().name == "Paint"
    editor.setActiveEffect(None)
    assert editor.activeEffect() is None


def test_what_the_editor_has_and_is_not_imitated_is_an_error_of_its_own(editor):
    with pytest.raises(NotImplementedError, match="does not imitate it yet"):
        editor.setMasterVolumeNode(None)
    with pytest.raises(AttributeError):
        _ = editor.setEffect


def test_the_table_lists_segments_and_selects_them(scene):
    import slicer

    table = slicer.qMRMLSegmentsTableView()
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "s")
    table.setSegmentationNode(segmentation)
    segmentation.GetSegmentation().AddEmptySegment("edema", "edema")
    segmentation.GetSegmentation().AddEmptySegment("core", "core")
    assert table.segmentCount == 2
    table.setSelectedSegmentIDs(["core"])
    assert table.selectedSegmentIDs() == ("core",)


def test_layouts_come_from_slicers_own_logic(scene):
    import slicer

    manager, seen = slicer.app.layoutManager(), []
    manager.connect("layoutChanged(int)", seen.append)
    assert manager.plotWidget(0) is None
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView)
    assert manager.plotViewCount == 1
    assert manager.plotWidget(0).mrmlPlotViewNode().IsA("vtkMRMLPlotViewNode")
    assert manager.sliceViewNames() == ("Red", "Green", "Yellow")
    assert seen == [slicer.vtkMRMLLayoutNode.SlicerLayoutConventionalPlotView]
