"""A tiny model, a synthetic study in the scene, and the module's widget over a launcher like PythonSlicer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from standins.environment import SlicerEnvironment

NETWORK = {"name": "mednext", "size": "S", "kernel": 3, "width": 4, "dim": 3}
INTENDED_USE = "A model with random weights for tests; not for clinical use."


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights, which mark something of every label."""
    import torch

    from convnextseg_engine.models.folder import ModelFolder
    from convnextseg_engine.models.metadata import Metadata
    from convnextseg_engine.networks.registry import build
    from convnextseg_engine.synthetic.brain import brain_tumour_contract

    torch.manual_seed(5)
    metadata = Metadata(
        name="a-tiny-model", version="v1", title="Tiny model", intended_use=INTENDED_USE, network=NETWORK,
        channels=("T1", "T1c", "T2", "FLAIR"), spacing=(3.0, 3.0, 3.0), patch=(32, 32, 32),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("model") / "a-tiny-model"
    ModelFolder.write(folder, metadata, brain_tumour_contract(), build(NETWORK, 4, 3).state_dict(), "# Tiny model\n")
    return folder


@pytest.fixture
def tiny_model(tiny_model_folder: Path):
    """The model in the test's own store."""
    from convnextseg_engine.models.store import ModelStore

    store = ModelStore()
    store.install(tiny_model_folder)
    return store.open("a-tiny-model")


@pytest.fixture
def python_slicer(slicer_panel_environment: SlicerEnvironment) -> Path:
    """Slicer's launcher for Python, behind which the workers run."""
    return slicer_panel_environment.state.home / "bin" / "PythonSlicer"


@dataclass
class OpenPanel:
    """The module as a person has it open.

    Attributes:
        widget: The module widget.
        study: The synthetic study in the scene, with its truth.
        spin: Runs the event loop until something is true.
        save: Writes a picture of the panel to ``test-output/panel``.
    """

    widget: Any
    study: Any
    spin: Callable[..., None]
    save: Callable[[str], Path]

    @property
    def panel(self):
        return self.widget.panel

    @property
    def segment(self):
        return self.widget.panel.segment

    @property
    def collaborators(self):
        return self.widget.logic.collaborators

    @property
    def scene(self):
        return self.collaborators.scene

    @property
    def segmentations(self) -> list:
        nodes = self.scene.GetNodesByClass("vtkMRMLSegmentationNode")
        return [nodes.GetItemAsObject(n) for n in range(nodes.GetNumberOfItems())]

    def choose_volumes(self) -> None:
        for name, selector in self.segment.channels.selectors.items():
            selector.setCurrentNode(self.study.volumes[name])

    def click_segment(self) -> None:
        """Click and wait until the run has ended."""
        self.segment.ui.segmentButton.click()
        self.spin(lambda: not self.segment.running, timeout=240)

    def mask_of(self, node, volume) -> Any:
        """The node's segments as one array by the contract's values, on the voxels of ``volume``."""
        import numpy as np

        import slicer
        from convnextseg_engine.synthetic.brain import brain_tumour_contract

        mask = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
        for label in brain_tumour_contract().labels:
            mask[slicer.util.arrayFromSegmentBinaryLabelmap(node, label.name, volume) != 0] = label.value
        return mask


@pytest.fixture
def open_panel(
    slicer_panel_environment: SlicerEnvironment,
    make_widget: Callable[..., Any],
    spin: Callable[..., None],
    grab: Callable[..., None],
    repository: Path,
    tiny_model: Any,
) -> Iterator[OpenPanel]:
    """The panel with the tiny model chosen and a study in the scene, whose volumes it recognises by their names."""
    import ConvNeXtSeg
    import slicer
    from ConvNeXtSegLib.selftest.synthetic_scene import add_synthetic_study

    study = add_synthetic_study(slicer.mrmlScene)
    widget = make_widget(ConvNeXtSeg.ConvNeXtSegWidget)
    pictures = repository / "test-output" / "panel"
    pictures.mkdir(parents=True, exist_ok=True)

    def save(name: str) -> Path:
        path = pictures / f"{name}.png"
        grab(widget.parent, path)
        return path

    opened = OpenPanel(widget, study, spin, save)
    model_selector = opened.segment.ui.modelSelector
    model_selector.setCurrentIndex(model_selector.findData(tiny_model.spec))
    yield opened
