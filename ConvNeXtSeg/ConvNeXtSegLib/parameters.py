"""What the user has chosen in the panel, kept in the scene's parameter node. No widgets here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import vtk

import slicer

MODULE_NAME = "ConvNeXtSeg"

_CHANNEL_ROLE = "Channel."
_RESULT_ROLE = "Result"
_BRAIN_MASK_ROLE = "BrainMask"

# Choices about how to work, not about which patient: they outlive the scene, so that the next patient starts with them.
_DEFAULTS = {
    "Model": "",
    "Device": "auto",
    "CaseSet": "",
    "Recipe": "adapt",
    "Steps": "0",
    "Preparation": "{}",
}
# What is looked at costs a second; what changes the images is for the user to ask for.
_PREPARATION = {
    "align": True,
    "register": False,
    "brain": False,
    "brain_source": "scene",
    "dilation_mm": 0.0,
    "expectations": True,
}
_REFERENCE_CHANNEL = "ReferenceChannel"
_DECIDED_CHANNELS = "DecidedChannels"


class Parameters:
    """Typed access to the module's one parameter node, whichever scene is loaded.

    The node is the singleton that Slicer's own module logic finds as well. Volumes are held by reference role, so that
    they survive saving and loading, and vanish with their node. Closing the scene forgets the volumes and the result
    and keeps the choices about how to work.

    Args:
        scene: The application's scene.
    """

    def __init__(self, scene: slicer.vtkMRMLScene) -> None:
        self._scene = scene
        self._kept: dict[str, str] = {}
        self._tags = [
            scene.AddObserver(slicer.vtkMRMLScene.StartCloseEvent, self._on_start_close),
            scene.AddObserver(slicer.vtkMRMLScene.EndCloseEvent, self._on_end_close),
        ]

    def release(self) -> None:
        """Stop observing the scene; call it when the panel goes."""
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._tags = []

    @property
    def node(self) -> slicer.vtkMRMLScriptedModuleNode:
        """The parameter node of the present scene, made if there is none yet."""
        node = self._scene.GetSingletonNode(MODULE_NAME, "vtkMRMLScriptedModuleNode")
        if node is None:
            new = slicer.vtkMRMLScriptedModuleNode()
            new.SetSingletonTag(MODULE_NAME)
            new.SetName(MODULE_NAME)
            node = self._scene.AddNode(new)
        if node.GetAttribute("ModuleName") != MODULE_NAME:  # closing the scene clears the attributes of singletons
            node.SetAttribute("ModuleName", MODULE_NAME)
            node.SetModuleName(MODULE_NAME)
        return node

    def observe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` whenever a choice changes; returns a function that ends it.

        Closing the scene keeps the node, as Slicer does with singletons, and so the observation goes on.
        """
        node = self.node
        tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: callback())
        return lambda: node.RemoveObserver(tag)

    @property
    def model(self) -> str:
        """Model as ``"name"`` or ``"name@v2"``; empty if none is chosen."""
        return self._get("Model")

    @model.setter
    def model(self, value: str) -> None:
        self._set("Model", value)

    @property
    def device(self) -> str:
        """``"auto"``, ``"cpu"``, ``"cuda:0"``, …"""
        return self._get("Device")

    @device.setter
    def device(self, value: str) -> None:
        self._set("Device", value)

    @property
    def case_set(self) -> str:
        """Folder of the case set; empty if none is chosen."""
        return self._get("CaseSet")

    @case_set.setter
    def case_set(self, value: str) -> None:
        self._set("CaseSet", str(value))

    @property
    def recipe(self) -> str:
        """Name or path of the training recipe."""
        return self._get("Recipe")

    @recipe.setter
    def recipe(self, value: str) -> None:
        self._set("Recipe", value)

    @property
    def steps(self) -> int | None:
        """Training steps, or None for as many as the recipe says."""
        text = self._get("Steps")
        return int(text) if text.isdecimal() and int(text) > 0 else None

    @steps.setter
    def steps(self, value: int | None) -> None:
        self._set("Steps", str(int(value or 0)))

    @property
    def preparation(self) -> dict[str, Any]:
        """What is done before a segmentation: ``align``, ``register``, ``brain``, ``brain_source``, …"""
        try:
            stored = json.loads(self._get("Preparation"))
        except ValueError:  # a scene that was edited by hand
            return dict(_PREPARATION)
        stored = stored if isinstance(stored, dict) else {}
        return {
            name: stored[name] if isinstance(stored.get(name), type(default)) else default
            for name, default in _PREPARATION.items()
        }

    @preparation.setter
    def preparation(self, value: dict[str, Any]) -> None:
        self._set("Preparation", json.dumps(value))

    @property
    def brain_mask(self) -> slicer.vtkMRMLNode | None:
        """The segmentation or label map that says what is brain, or None."""
        return self.node.GetNodeReference(_BRAIN_MASK_ROLE)

    @brain_mask.setter
    def brain_mask(self, node: slicer.vtkMRMLNode | None) -> None:
        node_id = node.GetID() if node else None
        if self.node.GetNodeReferenceID(_BRAIN_MASK_ROLE) != node_id:
            self.node.SetNodeReferenceID(_BRAIN_MASK_ROLE, node_id)

    @property
    def reference_channel(self) -> str:
        """Channel on whose volume the result lands; the first one with a volume if none is chosen."""
        chosen = self.node.GetParameter(_REFERENCE_CHANNEL)
        channels = self.channels()
        return chosen if chosen in channels else next(iter(channels), "")

    @reference_channel.setter
    def reference_channel(self, value: str) -> None:
        self._set(_REFERENCE_CHANNEL, value)

    def channel(self, name: str) -> slicer.vtkMRMLScalarVolumeNode | None:
        """Return the volume of one channel, or None."""
        return self.node.GetNodeReference(_CHANNEL_ROLE + name)

    def set_channel(self, name: str, volume: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Assign a volume to a channel, or none."""
        node_id = volume.GetID() if volume else None
        if self.node.GetNodeReferenceID(_CHANNEL_ROLE + name) != node_id:
            self.node.SetNodeReferenceID(_CHANNEL_ROLE + name, node_id)

    def channels(self) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
        """Return the channels that have a volume in the scene, by name."""
        roles: list[str] = []
        self.node.GetNodeReferenceRoles(roles)
        found = {}
        for role in roles:
            volume = self.node.GetNodeReference(role)
            if role.startswith(_CHANNEL_ROLE) and volume is not None:
                found[role[len(_CHANNEL_ROLE) :]] = volume
        return found

    @property
    def decided_channels(self) -> frozenset[str]:
        """Channels whose volume the user has chosen or left out; recognition leaves them alone."""
        try:
            names = json.loads(self.node.GetParameter(_DECIDED_CHANNELS) or "[]")
        except ValueError:
            return frozenset()
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()

    def decide_channel(self, name: str) -> None:
        """Remember that the user has decided about a channel."""
        self._set(_DECIDED_CHANNELS, json.dumps(sorted(self.decided_channels | {name})))

    @property
    def result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The segmentation that the last run wrote or that the user chose for review."""
        return self.node.GetNodeReference(_RESULT_ROLE)

    @result.setter
    def result(self, segmentation: slicer.vtkMRMLSegmentationNode | None) -> None:
        node_id = segmentation.GetID() if segmentation else None
        if self.node.GetNodeReferenceID(_RESULT_ROLE) != node_id:
            self.node.SetNodeReferenceID(_RESULT_ROLE, node_id)

    def _get(self, name: str) -> str:
        node = self.node
        return node.GetParameter(name) if node.HasParameter(name) else _DEFAULTS[name]

    def _set(self, name: str, value: str) -> None:
        self.node.SetParameter(name, value)

    def _on_start_close(self, *_: object) -> None:
        node = self._scene.GetSingletonNode(MODULE_NAME, "vtkMRMLScriptedModuleNode")
        if node is not None:
            self._kept = {name: node.GetParameter(name) for name in _DEFAULTS if node.HasParameter(name)}

    def _on_end_close(self, *_: object) -> None:
        for name, value in self._kept.items():
            self.node.SetParameter(name, value)
        self._kept = {}
