"""Render the pictures of the panel in ``Resources/Screenshots``: ``python scripts/screenshots.py [--steps N]``.

The real panel runs over real Qt and real MRML, in the stand-in for Slicer that the tests use, with the bundled model
and synthetic brains. Slicer's own widgets (node selectors, Segment Editor) are therefore plainer here than in Slicer.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
TARGET = REPOSITORY / "Resources" / "Screenshots"
WIDTH = 480
PATIENCE_S = 1800.0
# Seeds of the synthetic brains, and what each serves for.
CASES = ((4, "training"), (3, "training"), (1, "validation"), (5, "test"))


def main() -> None:
    """Walk through the panel and save a picture at each stop."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40, help="steps of the fine-tuning that is shown (default: 40)")
    steps = parser.parse_args().steps
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY / "ConvNeXtSeg")]
    with tempfile.TemporaryDirectory(prefix="convnextseg-screenshots-") as folder:
        os.environ["CONVNEXTSEG_HOME"] = str(Path(folder) / "home")
        _render(Path(folder), steps)


def _render(folder: Path, steps: int) -> None:
    from standins.environment import slicer_environment
    from standins.module_panel import WidgetMaker
    from standins.mrml import mrml_world

    with mrml_world() as world, slicer_environment(world, folder / "slicer") as environment:
        import ConvNeXtSeg

        maker = WidgetMaker(environment)
        try:
            _walk(environment, maker(ConvNeXtSeg.ConvNeXtSegWidget), folder / "Documents" / "brain-tumours", steps)
        finally:
            maker.unload_all()


def _walk(environment: Any, widget: Any, cases: Path, steps: int) -> None:
    from convnextseg_engine.synthetic.brain import synthetic_case
    from ConvNeXtSegLib.selftest.synthetic_scene import add_volume

    panel, scene = widget.panel, environment.scene
    for number, (seed, split) in enumerate(CASES):
        case = synthetic_case(seed)
        for name, selector in panel.segment.channels.selectors.items():
            selector.setCurrentNode(add_volume(scene, f"{name} {number + 1}", case.study.channels[name]))
        panel.segment.ui.segmentButton.click()
        _wait(lambda: not panel.segment.running)
        if panel.segment.failed:
            raise SystemExit(panel.segment.messages.text)
        if number == 0:
            panel.review.collapsible.collapsed = True
            _save(environment, widget, "segment.png")
            panel.segment.collapsible.collapsed = True
            panel.cases.open()
        _correct(widget.logic.collaborators.parameters.result, panel.segment.channels, case.mask)
        panel.cases.ui.caseSetFolder.currentPath = str(cases)
        panel.cases.ui.caseIdEdit.setText(f"case-{number + 1:03d}")
        panel.cases.ui.splitSelector.setCurrentText(split)
        panel.cases.ui.exportButton.click()
        if panel.cases.messages.text:
            raise SystemExit(panel.cases.messages.text)
        panel.review.collapsible.collapsed = True
    _save(environment, widget, "cases.png")

    panel.cases.collapsible.collapsed = True
    panel.finetune.open()
    panel.finetune.ui.stepsSpinBox.setValue(steps)
    panel.finetune.ui.startButton.click()
    _wait(lambda: not panel.finetune.running)
    if panel.finetune.messages.text:
        raise SystemExit(panel.finetune.messages.text)
    _save(environment, widget, "finetune.png")


def _correct(segmentation: Any, channels: Any, truth: Any) -> None:
    """Do what a person does in the Segment Editor: make the segments right."""
    import slicer
    from convnextseg_engine.synthetic.brain import brain_tumour_contract

    volume = channels.volumes()[channels.reference]
    for label in brain_tumour_contract().labels:
        drawn = (truth == label.value).astype("uint8")
        slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, segmentation, label.name, volume)


def _wait(until: Callable[[], bool]) -> None:
    from standins.environment import application

    deadline = time.monotonic() + PATIENCE_S
    while not until():
        application().processEvents()
        time.sleep(0.01)
        if time.monotonic() > deadline:
            raise SystemExit("the worker did not answer in time")


def _save(environment: Any, widget: Any, name: str) -> None:
    from standins.environment import application

    content = widget.parent._standin_target
    window = environment.main_window._standin_target
    application().processEvents()
    window.resize(WIDTH, content.sizeHint().height() + 2)
    application().processEvents()
    TARGET.mkdir(parents=True, exist_ok=True)
    if not content.grab().save(str(TARGET / name), "PNG"):
        raise SystemExit(f"could not write {TARGET / name}")
    print(TARGET / name)


if __name__ == "__main__":
    main()
