"""What a segmentation is unsure of: how sure each label is, which slices to look at first, and a map of it all."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from slicer.i18n import tr as _

import slicer
from convnextseg_engine.errors import InputError

from ..scene.segmentation import source_volume
from ..scene.slice_jump import jump_to_voxel
from ..scene.uncertainty_map import UncertaintyMap
from .table import fill_table, prepare_table
from .wording import joined


@dataclass(frozen=True)
class Doubts:
    """What the worker says a segmentation is unsure of.

    Attributes:
        report: Labels and slices, as in the report of a run.
        entropy: Of each voxel, 0..1, float32, axes ``(D, H, W)`` of the volume that was segmented.
    """

    report: dict[str, Any]
    entropy: np.ndarray


class DoubtsView:
    """The upper part of the *Review* section. It belongs to the prediction, so corrections do not change it.

    Args:
        ui: Widgets of that section.
        scene: Slicer's scene.
    """

    def __init__(self, ui: SimpleNamespace, scene: slicer.vtkMRMLScene):
        self._ui, self._scene = ui, scene
        self._doubts: Doubts | None = None
        self._segmentation_id = ""
        self._map = UncertaintyMap(scene)
        prepare_table(ui.slicesTable, [_("Slice"), _("Probably wrong")])
        ui.slicesTable.connect("cellClicked(int,int)", self._on_row)
        ui.slicesTable.connect("currentCellChanged(int,int,int,int)", self._on_row)
        ui.uncertaintyMapCheckBox.connect("toggled(bool)", self._on_map)
        self._tag = scene.AddObserver(slicer.vtkMRMLScene.NodeRemovedEvent, self._on_node_removed)
        ui.doubtsWidget.setVisible(False)

    def show(self, segmentation: slicer.vtkMRMLSegmentationNode, doubts: Doubts) -> None:
        """Show what a new segmentation is unsure of, instead of what an earlier one was."""
        shown = self._map.node is not None
        self.drop()
        self._doubts, self._segmentation_id = doubts, segmentation.GetID()
        ui, report = self._ui, doubts.report
        ui.confidenceLabel.setText(_confidence(report))
        told = _("Slices to look at first in “{name}”:") if report["slices"] else _("No slice of “{name}” is in doubt.")
        ui.slicesLabel.setText(told.format(name=segmentation.GetName()))
        rows = [(str(one["index"]), _millilitres(one["expected_error_ml"])) for one in report["slices"]]
        blocked = ui.slicesTable.blockSignals(True)
        fill_table(ui.slicesTable, rows)
        ui.slicesTable.setCurrentCell(-1, -1)
        ui.slicesTable.blockSignals(blocked)
        ui.slicesTable.setVisible(bool(rows))
        ui.doubtsWidget.setVisible(True)
        ui.uncertaintyMapCheckBox.setChecked(shown)

    def drop(self) -> None:
        """Show nothing, and take the map out of the scene."""
        self._doubts, self._segmentation_id = None, ""
        self._ui.doubtsWidget.setVisible(False)
        self._ui.uncertaintyMapCheckBox.setChecked(False)

    def forget(self) -> None:
        """Let go of everything in the scene, because it closes."""
        self._map.forget()
        self.drop()

    def release(self) -> None:
        """Stop observing the scene; call it when the panel goes."""
        self.drop()
        self._scene.RemoveObserver(self._tag)

    def _volume(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The volume that was segmented, unless it is gone or has another size by now."""
        segmentation = self._scene.GetNodeByID(self._segmentation_id) if self._segmentation_id else None
        volume = source_volume(segmentation) if segmentation is not None else None
        if volume is None or volume.GetImageData() is None:
            return None
        return volume if volume.GetImageData().GetDimensions()[::-1] == self._doubts.entropy.shape else None

    def _on_row(self, row: int) -> None:
        volume = self._volume()
        if volume is None or row < 0:
            return
        index = self._doubts.report["slices"][row]["index"]
        plane = self._doubts.entropy[index]
        j, i = np.unravel_index(plane.argmax(), plane.shape)  # the other views show the place of most doubt in it
        try:
            jump_to_voxel(self._scene, volume, (index, int(j), int(i)))
        except InputError as error:
            self._ui.slicesLabel.setText(joined([error.message, error.reason, error.remedy]))

    def _on_map(self, wanted: bool) -> None:
        volume = self._volume() if wanted else None
        if volume is None:
            self._map.hide()
        else:
            self._map.show(self._doubts.entropy, volume)

    def _on_node_removed(self, *_event: Any) -> None:
        if self._segmentation_id and not self._scene.IsClosing() and self._is_gone():
            self.drop()

    def _is_gone(self) -> bool:
        return self._scene.GetNodeByID(self._segmentation_id) is None


def _confidence(report: dict[str, Any]) -> str:
    """Return the sentence that says how sure each label is."""
    listed = [
        _("{label} {percent} %").format(label=label["name"], percent=round(100 * label["confidence"]))
        for label in report["labels"]
        if label["confidence"] is not None
    ]
    if not listed:
        return ""
    text = _("Mean probability where a label was drawn: {list}.").format(list=", ".join(listed))
    return text if report["calibrated"] else text + " " + _("The model was not calibrated: it may be too sure.")


def _millilitres(volume: float) -> str:
    return _("{volume} mL").format(volume=f"{volume:.2f}")
