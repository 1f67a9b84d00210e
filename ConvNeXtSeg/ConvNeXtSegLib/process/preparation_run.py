"""One look at a study before it is segmented: volumes to the worker, what it did and found back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import ConvNeXtSegError, InputError
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.worker.exchange import Exchange
from convnextseg_engine.worker.messages import Progress

from ..scene.volumes import read_volume
from .call import Call
from .worker import Worker


@dataclass(frozen=True)
class PreparationWishes:
    """What is to be done to a study before it is segmented.

    Attributes:
        options: What the worker's ``preparation`` takes, without the mask.
        mask: Brain mask, uint8 ``(D, H, W)``, and its grid in the world; or None.
    """

    options: Mapping[str, Any]
    mask: tuple[np.ndarray, Grid] | None = None

    def put(self, exchange: Exchange) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the request's ``preparation`` and the arrayrefs to discard afterwards."""
        if self.mask is None:
            return dict(self.options), []
        ref = exchange.put_array("brain mask", *self.mask)
        return dict(self.options) | {"brain_mask": ref}, [ref]


class PreparationRun:
    """One click on *Prepare now*. Nothing in the scene changes.

    Args:
        worker: The worker of the role *segment*.
        exchange: Folder through which images pass.
        volumes: Channel name to volume node.
        reference: Channel that stays where it is.
        model: The model as ``"name@v2"``, or empty.
        wishes: What is to be done.
        on_done: Called with the report.
        on_error: Called with the error and technical details.
        on_progress: Called with each progress.

    Raises:
        InputError: If a volume cannot be used.
    """

    def __init__(
        self,
        worker: Worker,
        exchange: Exchange,
        volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
        reference: str,
        model: str,
        wishes: PreparationWishes,
        on_done: Callable[[dict[str, Any]], None],
        on_error: Callable[[ConvNeXtSegError, str], None],
        on_progress: Callable[[Progress], None],
    ):
        if not volumes:
            raise InputError(
                _("No volume is chosen."), remedy=_("Choose the images under Segment first."), code="no-volume"
            )
        self._worker, self._exchange = worker, exchange
        self._on_done, self._on_error, self._on_progress = on_done, on_error, on_progress
        self._abandoned = False
        self._refs: list[dict[str, Any]] = []
        try:
            channels = {name: self._put(name, node) for name, node in volumes.items()}
            preparation, refs = wishes.put(exchange)
        except BaseException:
            self._discard()
            raise
        self._refs += refs
        args = {
            "channels": channels,
            "reference": reference,
            "model": model,
            "preparation": preparation,
            "exchange": str(exchange.folder),
        }
        self._call = Call("prepare", args, self._done, self._failed, self._progressed)

    def start(self) -> None:
        """Send it to the worker."""
        self._worker.call(self._call)

    def cancel(self) -> None:
        """End the run; ``on_error`` hears a ``RunCancelled``."""
        self._worker.cancel(self._call)

    def abandon(self) -> None:
        """End the run and tell nobody."""
        self._abandoned = True
        self._worker.cancel(self._call)

    def _put(self, name: str, node: slicer.vtkMRMLScalarVolumeNode) -> dict[str, Any]:
        volume = read_volume(node)
        ref = self._exchange.put_array(name, volume.array, volume.handle.world_grid)
        self._refs.append(ref)
        return ref

    def _progressed(self, progress: Progress) -> None:
        if not self._abandoned:
            self._on_progress(progress)

    def _done(self, value: dict[str, Any]) -> None:
        self._discard()
        if not self._abandoned:
            self._on_done(value)

    def _failed(self, error: ConvNeXtSegError, details: str) -> None:
        self._discard()
        if not self._abandoned:
            self._on_error(error, details)

    def _discard(self) -> None:
        for ref in self._refs:
            self._exchange.discard(ref)
        self._refs.clear()
