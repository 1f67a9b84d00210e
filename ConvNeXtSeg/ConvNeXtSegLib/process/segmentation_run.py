"""One segmentation: volumes of the scene to the worker, the mask back into the scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, InputError, describe
from convnextseg_engine.images.colour import component_of
from convnextseg_engine.models.folder import ModelFolder
from convnextseg_engine.worker.exchange import Exchange
from convnextseg_engine.worker.messages import Progress

from ..scene.segmentation import place_result
from ..scene.volumes import VolumeHandle, read_volume
from .call import Call
from .preparation_run import PreparationWishes
from .worker import Worker


@dataclass(frozen=True)
class SegmentationInputs:
    """What is segmented, and how.

    Attributes:
        volumes: Channel name to volume node.
        reference: Channel on whose volume the result lands.
        model: The model, opened.
        device: ``"auto"``, ``"cpu"``, ``"cuda:0"``, …
        previous_id: ID of an earlier result that may be refreshed if nobody has touched it, or None.
        preparation: What is done to the study before, or None for nothing.
    """

    volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode]
    reference: str
    model: ModelFolder
    device: str
    previous_id: str | None
    preparation: PreparationWishes | None = None


@dataclass(frozen=True)
class SegmentationOutcome:
    """What a run has put into the scene.

    Attributes:
        node_id: The segmentation node.
        value: What the worker said about the run: volumes, seconds, device, uncertainty, ….
        entropy: How unsure each voxel is, 0..1, float32, axes ``(D, H, W)`` of the volume.
        seconds: From the click to the segmentation in the scene.
        starting_s: How much of it went into starting the worker and loading the model; 0 if both were warm.
    """

    node_id: str
    value: dict[str, Any]
    entropy: np.ndarray
    seconds: float
    starting_s: float


@dataclass(frozen=True)
class Listener:
    """Who hears of a run; exactly one of ``on_done`` and ``on_error`` is called, unless the run is abandoned."""

    on_progress: Callable[[Progress], None]
    on_done: Callable[[SegmentationOutcome], None]
    on_error: Callable[[ConvNeXtSegError, str], None]


class SegmentationRun:
    """One click on *Segment tumour*. Nothing in the scene changes before the whole result is there.

    Args:
        worker: The worker of the role *segment*.
        exchange: Folder through which images pass.
        scene: The scene of the volumes.
        inputs: What to segment.
        listener: Who hears of it.

    Raises:
        InputError: If a volume cannot be used.
    """

    def __init__(
        self,
        worker: Worker,
        exchange: Exchange,
        scene: slicer.vtkMRMLScene,
        inputs: SegmentationInputs,
        listener: Listener,
    ):
        self._worker, self._exchange, self._scene = worker, exchange, scene
        self._inputs, self._listener = inputs, listener
        if not inputs.volumes:
            raise InputError(
                _("No volume is chosen."), remedy=_("Choose at least one of the images."), code="no-volume"
            )
        _refuse_twice(inputs.volumes)
        self._abandoned = False
        self._started = time.monotonic()
        self._working_since: float | None = None
        self._refs: list[dict[str, Any]] = []
        self._target: VolumeHandle = read_volume(inputs.volumes[inputs.reference], inputs.reference).handle
        try:
            channels = {name: self._put(name, node) for name, node in inputs.volumes.items()}
            preparation, refs = (None, []) if inputs.preparation is None else inputs.preparation.put(exchange)
        except BaseException:
            self._discard()
            raise
        self._refs += refs
        self._call = Call(
            "segment",
            {
                "channels": channels,
                "reference": inputs.reference,
                "model": inputs.model.spec,
                "device": inputs.device,
                "backend": "auto",
                "preparation": preparation,
                "options": {"uncertainty": True},
                "exchange": str(exchange.folder),
            },
            self._on_result,
            self._on_error,
            self._on_progress,
        )

    def start(self) -> None:
        """Send it to the worker; the listener may hear of a failure before this returns."""
        self._worker.call(self._call)

    def cancel(self) -> None:
        """End the run; the listener hears a ``RunCancelled``."""
        self._worker.cancel(self._call)

    def abandon(self) -> None:
        """End the run and tell nobody, because the scene or the panel is going away."""
        self._abandoned = True
        self._worker.cancel(self._call)

    def _put(self, name: str, node: slicer.vtkMRMLScalarVolumeNode) -> dict[str, Any]:
        volume = read_volume(node, name)
        ref = self._exchange.put_array(name, volume.array, volume.handle.world_grid)
        self._refs.append(ref)
        return ref

    def _on_progress(self, progress: Progress) -> None:
        if progress.stage != "load" and self._working_since is None:
            self._working_since = time.monotonic()
        if not self._abandoned:
            self._listener.on_progress(progress)

    def _on_result(self, value: dict[str, Any]) -> None:
        self._refs += [value["mask"], value["entropy"]]
        try:
            if self._abandoned:
                return
            try:
                outcome = self._place(value)
            except Exception as error:
                self._listener.on_error(describe(error), "")
                return
        finally:
            self._discard()
        self._listener.on_done(outcome)

    def _place(self, value: dict[str, Any]) -> SegmentationOutcome:
        mask, _grid = self._exchange.open_array(value["mask"])
        entropy = np.array(self._exchange.open_array(value["entropy"])[0])  # a copy: the file goes
        inputs = self._inputs
        node = place_result(self._scene, mask, inputs.model.contract, self._target, value["model"], inputs.previous_id)
        starting_s = (self._working_since or self._started) - self._started if value["loaded_now"] else 0.0
        return SegmentationOutcome(node.GetID(), value, entropy, time.monotonic() - self._started, starting_s)

    def _on_error(self, error: ConvNeXtSegError, details: str) -> None:
        self._discard()
        if not self._abandoned:
            self._listener.on_error(error, details)

    def _discard(self) -> None:
        for ref in self._refs:
            self._exchange.discard(ref)
        self._refs.clear()


def _refuse_twice(volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode]) -> None:
    """Refuse a volume that was chosen for two channels: the network would take it for two different sequences.

    A colour volume has three channels in it.
    """
    chosen: dict[str, str] = {}
    for channel, node in volumes.items():
        other = chosen.setdefault(node.GetID(), channel)
        if other != channel and (component_of(other) is None or component_of(channel) is None):
            raise InputError(
                _("The volume “{volume}” is chosen for {one} and for {other}.").format(
                    volume=node.GetName(), one=other, other=channel
                ),
                reason=_("Each channel is another kind of image."),
                remedy=_("Choose another volume for one of them, or none if there is no {channel}.").format(
                    channel=channel
                ),
                code="volume-twice",
            )
