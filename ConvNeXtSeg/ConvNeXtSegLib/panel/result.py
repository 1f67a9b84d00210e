"""What a finished run says: volumes by label, where it ran and how long it took, and the whole report on a click."""

from __future__ import annotations

import json
from types import SimpleNamespace

from slicer.i18n import tr as _

from convnextseg_engine.labels.contract import LabelContract

from ..process.segmentation_run import SegmentationOutcome
from .wording import device_text, joined, seconds_text, volumes_html

# Of no use to a reader: files of the exchange, which are gone.
_ARRAYS = ("mask", "probabilities", "entropy")


class ResultView:
    """The lower part of the *Segment* section.

    Args:
        ui: Widgets of that section.
    """

    def __init__(self, ui: SimpleNamespace):
        self._ui = ui
        ui.reportButton.toggled.connect(self._on_report)
        ui.reportText.setVisible(False)
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._ui.resultWidget.setVisible(False)

    def show(self, outcome: SegmentationOutcome, contract: LabelContract) -> None:
        """Show what a run has found and how it ran.

        Args:
            outcome: The run's outcome.
            contract: Names and colours of the model's labels.
        """
        ui, value = self._ui, outcome.value
        ui.volumesLabel.setText(volumes_html(value["volumes_ml"], contract))
        ran = _("{model} {version} · {device} · {backend} · {time}")
        ui.ranLabel.setText(
            ran.format(
                model=value["model"]["name"],
                version=value["model"]["version"],
                device=device_text(value["device"]),
                backend=value["backend"],
                time=seconds_text(outcome.seconds),
            )
        )
        ui.ranLabel.setToolTip(joined([value["plan"], *value["reasons"]]))
        report = {name: content for name, content in value.items() if name not in _ARRAYS}
        report["seconds"] = value["seconds"] | {"from click to scene": outcome.seconds}
        ui.reportText.setPlainText(json.dumps(report, indent=2, ensure_ascii=False))
        ui.resultWidget.setVisible(True)

    def _on_report(self, shown: bool) -> None:
        self._ui.reportText.setVisible(shown)
