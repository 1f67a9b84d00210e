"""One volume selector per channel of the model, and which of them the result belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import qt
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.images.colour import component_of

from ..parameters import Parameters
from .recognition import ChannelRecognition
from .section import chosen_value, fill_choices


class ChannelSelectors:
    """The channel rows of the *Segment* section.

    Args:
        form: Gets one row per channel.
        first_row: Where the first of them goes.
        reference: Combo box that says on which volume the result lands.
        parameters: Where the choices are kept.
        scene: Has the volumes.
        notes: Shows why volumes were chosen, and which the user has to choose.
        on_changed: Called after something was chosen.
    """

    def __init__(
        self,
        form: qt.QFormLayout,
        first_row: int,
        reference: qt.QComboBox,
        parameters: Parameters,
        scene: slicer.vtkMRMLScene,
        notes: qt.QLabel,
        on_changed: Callable[[], None],
    ):
        self._form, self._first_row, self._reference = form, first_row, reference
        self._parameters, self._on_changed = parameters, on_changed
        self._selectors: dict[str, slicer.qMRMLNodeComboBox] = {}
        self._updating = False
        self._recognition = ChannelRecognition(scene, parameters, notes, self._on_new_volumes)
        reference.connect("currentIndexChanged(int)", self._on_reference)

    def release(self) -> None:
        """Stop observing the scene; call it when the panel goes."""
        self._recognition.release()

    @property
    def selectors(self) -> dict[str, slicer.qMRMLNodeComboBox]:
        """The selectors by channel."""
        return dict(self._selectors)

    def build(self, channels: Sequence[str]) -> None:
        """Make one row per channel of a model; rows that stay the same are left alone."""
        if list(channels) != list(self._selectors):
            self._updating = True  # a selector that goes loses its node; that is not the user's choice
            for selector in self._selectors.values():
                selector.setMRMLScene(None)
                self._form.removeRow(selector)
            self._selectors = {name: self._row(name, self._first_row + n) for n, name in enumerate(channels)}
        self.refresh()

    def refresh(self) -> None:
        """Show what the parameters say, as after a scene was loaded; recognise what they leave open."""
        before = self.reference
        self._recognition.fill(list(self._selectors))
        self._keep_reference(before)
        self._updating = True
        for name, selector in self._selectors.items():
            selector.setCurrentNode(self._parameters.channel(name))
            selector.setToolTip(self._tip(name))
        self._updating = False
        self._fill_reference()

    def volumes(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Return the chosen volumes of the present model's channels, in the model's order."""
        chosen = self._parameters.channels()
        return {name: chosen[name] for name in self._selectors if name in chosen}

    @property
    def reference(self) -> str:
        """Channel on whose volume the result lands, empty without a volume."""
        volumes = self.volumes()
        chosen = self._parameters.reference_channel
        return chosen if chosen in volumes else next(iter(volumes), "")

    def _row(self, name: str, row: int) -> slicer.qMRMLNodeComboBox:
        selector = slicer.qMRMLNodeComboBox()
        selector.setObjectName(f"channelSelector{name}")
        colours = ["vtkMRMLVectorVolumeNode"] if component_of(name) is not None else []
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode", *colours]
        selector.showChildNodeTypes = False
        selector.noneEnabled = True
        selector.noneDisplay = _("not available")
        selector.addEnabled = False
        selector.removeEnabled = False
        selector.renameEnabled = False
        selector.setMRMLScene(slicer.mrmlScene)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: self._on_volume(name, node))
        self._form.insertRow(row, _("{channel}:").format(channel=name), selector)
        return selector

    def _on_volume(self, name: str, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        # While a scene closes, selectors lose their nodes one by one: that is not the user's choice.
        if self._updating or slicer.mrmlScene.IsClosing():
            return
        before = self.reference
        earlier = self._parameters.channel(name)
        self._parameters.set_channel(name, node)
        # A selector also loses a volume that is deleted; only of one that is still there the user has said “not this”.
        if node is not None or (earlier is not None and slicer.mrmlScene.IsNodePresent(earlier)):
            self._parameters.decide_channel(name)
        self._keep_reference(before)
        self.refresh()  # what the user has said may answer what the other channels are
        self._on_changed()

    def _on_new_volumes(self) -> None:
        self.refresh()
        self._on_changed()

    def _keep_reference(self, before: str) -> None:
        """Leave the reference where it is when another volume comes; it must not jump by itself."""
        volumes = self.volumes()
        kept = before if before in volumes else next(iter(volumes), "")
        if kept != self._parameters.reference_channel:
            self._parameters.reference_channel = kept

    def _tip(self, name: str) -> str:
        tip = _("The volume that shows {channel}; leave it out if there is none").format(channel=name)
        reason = self._recognition.reasons.get(name)
        return f"{tip}\n{reason}" if reason else tip

    def _on_reference(self, _index: int) -> None:
        self._parameters.reference_channel = chosen_value(self._reference)
        self._on_changed()

    def _fill_reference(self) -> None:
        choices = [
            (name if node.GetName() == name else f"{name}: {node.GetName()}", name)
            for name, node in self.volumes().items()
        ]
        fill_choices(self._reference, choices, self.reference)
        self._reference.setEnabled(len(choices) > 1)
