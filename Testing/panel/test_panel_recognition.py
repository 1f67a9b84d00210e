"""The panel chooses the volumes that it recognises, says why, asks where it cannot know, and overrules nobody."""

from __future__ import annotations

import pytest

from panel.panel_fixtures import OpenPanel

CHANNELS = ["T1", "T1c", "T2", "FLAIR"]


def _shown(panel: OpenPanel) -> dict[str, str | None]:
    nodes = {name: selector.currentNode() for name, selector in panel.segment.channels.selectors.items()}
    return {name: node.GetName() if node else None for name, node in nodes.items()}


def _add(panel: OpenPanel, name: str, **attributes: str):
    node = panel.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.SetName(name)  # as loaders do: after the node is in the scene
    for key, text in attributes.items():
        node.SetAttribute(key, text)
    panel.spin()
    return node


@pytest.fixture()
def empty_panel(open_panel: OpenPanel) -> OpenPanel:
    """The panel in a scene without volumes."""
    for node in open_panel.study.volumes.values():
        open_panel.scene.RemoveNode(node)
    open_panel.spin()
    open_panel.segment.refresh()
    assert _shown(open_panel) == dict.fromkeys(CHANNELS)
    return open_panel


def test_volumes_are_chosen_by_their_names_and_the_reason_is_shown(open_panel: OpenPanel) -> None:
    assert _shown(open_panel) == {name: name for name in CHANNELS}
    label = open_panel.segment.ui.recognitionLabel
    assert not label.isHidden()
    assert "T1c: “T1c” says “t1”, and “c”: with contrast agent." in label.text
    assert "with contrast agent" in open_panel.segment.channels.selectors["T1c"].toolTip
    open_panel.save("recognised")


def test_volumes_that_come_later_fill_what_is_empty(empty_panel: OpenPanel) -> None:
    _add(empty_panel, "5: t2_tirm_tra_dark-fluid")
    _add(empty_panel, "7: AX T1 POST")
    _add(empty_panel, "8: localizer")
    assert _shown(empty_panel) == {"T1": None, "T1c": "7: AX T1 POST", "T2": None, "FLAIR": "5: t2_tirm_tra_dark-fluid"}
    assert empty_panel.segment.channels.reference == "FLAIR", "the result stays on the volume that was there first"


def test_two_volumes_for_one_channel_are_asked_about(empty_panel: OpenPanel) -> None:
    with_two = [empty_panel.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name) for name in ("T1 KM", "T1 GD")]
    empty_panel.spin()
    assert _shown(empty_panel)["T1c"] is None
    label = empty_panel.segment.ui.recognitionLabel
    assert "please choose" in label.text
    assert "“T1 KM”, “T1 GD”" in label.text
    empty_panel.save("asked")
    empty_panel.segment.channels.selectors["T1c"].setCurrentNode(with_two[1])
    assert label.isHidden()


def test_what_the_user_chose_or_left_out_is_never_overruled(empty_panel: OpenPanel) -> None:
    scan = _add(empty_panel, "scan 7")
    empty_panel.segment.channels.selectors["T1"].setCurrentNode(scan)
    flair = _add(empty_panel, "FLAIR")
    empty_panel.segment.channels.selectors["FLAIR"].setCurrentNode(None)
    _add(empty_panel, "t1 mprage nativ")
    _add(empty_panel, "T2 tse")
    assert _shown(empty_panel) == {"T1": "scan 7", "T1c": None, "T2": "T2 tse", "FLAIR": None}
    empty_panel.segment.refresh()
    assert _shown(empty_panel)["FLAIR"] is None
    assert flair.GetName() == "FLAIR"
    assert "T1:" not in empty_panel.segment.ui.recognitionLabel.text, "the user needs no reason for their own choice"


def test_choices_are_forgotten_with_the_scene(open_panel: OpenPanel) -> None:
    open_panel.segment.channels.selectors["T1"].setCurrentNode(None)
    open_panel.scene.Clear(0)
    open_panel.spin()
    _add(open_panel, "T1")
    assert _shown(open_panel)["T1"] == "T1"


def test_label_maps_and_hidden_volumes_are_no_candidates(empty_panel: OpenPanel) -> None:
    empty_panel.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "T1")
    hidden = _add(empty_panel, "T2")
    hidden.SetHideFromEditors(1)
    empty_panel.segment.channels.selectors["T2"].setCurrentNode(None)
    empty_panel.segment.refresh()
    assert _shown(empty_panel) == dict.fromkeys(CHANNELS)
