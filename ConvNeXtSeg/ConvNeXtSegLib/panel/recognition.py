"""Fills the channels with the volumes that are recognised, and says why and what it cannot know."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.images.sequences.assign import Assignment, assign

from ..parameters import Parameters
from ..scene.image_description import describe_volume


class ChannelRecognition:
    """Recognises volumes by name, file and DICOM header. What the user has chosen, or left out, stays.

    Args:
        scene: Has the volumes.
        parameters: Where the choices are kept.
        label: Shows the reasons and the questions.
        on_new_volumes: Called when volumes may have come into the scene, after all that belongs to them is there.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        parameters: Parameters,
        label: qt.QLabel,
        on_new_volumes: Callable[[], None],
    ):
        self._scene, self._parameters, self._label = scene, parameters, label
        self._on_new_volumes = on_new_volumes
        # A loader names a volume and writes its DICOM attributes after it has added the node.
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.connect("timeout()", self._new_volumes)
        self._tag = scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, self._on_node_added)
        self.reasons: dict[str, str] = {}

    def release(self) -> None:
        """Stop observing the scene; call it when the panel goes."""
        self._soon.stop()
        self._scene.RemoveObserver(self._tag)

    def fill(self, channels: Sequence[str]) -> None:
        """Give every channel without a volume the one that is recognised, and show why."""
        parameters = self._parameters
        chosen = {name: parameters.channel(name) for name in channels}
        given = {name: node.GetID() for name, node in chosen.items() if node is not None}
        given |= {name: "" for name in parameters.decided_channels if name in channels and name not in given}
        volumes = self._volumes()
        database = slicer.app.dicomDatabase()  # None until the DICOM module has opened one
        assignment = assign({key: describe_volume(node, database) for key, node in volumes.items()}, channels, given)
        for name, key in assignment.chosen.items():
            if name not in given:
                parameters.set_channel(name, volumes[key])
        self._show(assignment, channels)

    def _volumes(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """The volumes that the selectors offer, by node ID: no label maps, colour volumes or hidden nodes."""
        nodes = self._scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
        found = [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]
        return {
            node.GetID(): node
            for node in found
            if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetHideFromEditors()
        }

    def _show(self, assignment: Assignment, channels: Sequence[str]) -> None:
        questions = {question.channel: question.reason for question in assignment.questions}
        decided = self._parameters.decided_channels
        self.reasons, lines = {}, []
        for name in channels:
            known = assignment.recognised.get(assignment.chosen.get(name, ""))
            if name in questions:
                lines.append(
                    _("<b>{channel}</b>: please choose. {why}").format(channel=name, why=_html(questions[name]))
                )
            elif known is not None and name not in decided:
                self.reasons[name] = known.reason
                lines.append(_("{channel}: {why}").format(channel=name, why=_html(known.reason)))
        self._label.setText("<br>".join(lines))
        self._label.setVisible(bool(lines))

    def _on_node_added(self, *_args: object) -> None:
        self._soon.start()

    def _new_volumes(self) -> None:
        if not (self._scene.IsClosing() or self._scene.IsImporting()):
            self._on_new_volumes()


def _html(text: str) -> str:
    return html.escape(text)
