"""Brain extraction by other extensions that the user has installed.

Their logic is called as their sources and documentation say (HDBrainExtraction, SwissSkullStripper). Neither is part of
Slicer, and no test of ours runs them.
"""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from convnextseg_engine.errors import ConvNeXtSegError


@dataclass(frozen=True)
class BrainExtractor:
    """An installed module that finds the brain.

    Attributes:
        module: Its name in ``slicer.modules``.
        title: What it is called in Slicer.
    """

    module: str
    title: str


# The better of them first.
_KNOWN = (
    BrainExtractor("hdbrainextractiontool", "HD Brain Extraction Tool"),
    BrainExtractor("swissskullstripper", "Swiss Skull Stripper"),
)


def installed_extractor() -> BrainExtractor | None:
    """Return the best module that is installed, or None."""
    return next((known for known in _KNOWN if hasattr(slicer.modules, known.module)), None)


def extract_brain(
    extractor: BrainExtractor, volume: slicer.vtkMRMLScalarVolumeNode, scene: slicer.vtkMRMLScene
) -> slicer.vtkMRMLNode:
    """Let a module find the brain in ``volume``; Slicer waits for it. Returns the new mask node.

    Raises:
        ConvNeXtSegError: If the module fails; nothing is left in the scene then.
    """
    kind = "vtkMRMLSegmentationNode" if extractor.module == "hdbrainextractiontool" else "vtkMRMLLabelMapVolumeNode"
    mask = scene.AddNewNodeByClass(kind, f"{volume.GetName()} brain")
    try:
        if extractor.module == "hdbrainextractiontool":
            _by_hd_bet(volume, mask)
        else:
            _by_swiss(volume, mask, scene)
    except Exception as error:
        scene.RemoveNode(mask)
        raise ConvNeXtSegError(
            f"{extractor.title} did not find the brain.",
            reason=str(error) or type(error).__name__,
            remedy="Try it in its own module, which says more, and choose its result here.",
            code="brain-extraction",
        ) from error
    return mask


def _by_hd_bet(volume: slicer.vtkMRMLScalarVolumeNode, mask: slicer.vtkMRMLSegmentationNode) -> None:
    from HDBrainExtractionTool import HDBrainExtractionToolLogic

    logic = HDBrainExtractionToolLogic()
    logic.setupPythonRequirements()  # asks the user before it installs anything
    logic.process(volume, None, mask, "auto")
    mask.SetAndObserveTransformNodeID(volume.GetTransformNodeID())


def _by_swiss(
    volume: slicer.vtkMRMLScalarVolumeNode, mask: slicer.vtkMRMLLabelMapVolumeNode, scene: slicer.vtkMRMLScene
) -> None:
    import slicer.cli

    stripped = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", f"{volume.GetName()} stripped")
    try:
        parameters = {
            "patientVolume": volume.GetID(),
            "patientOutputVolume": stripped.GetID(),
            "patientMaskLabel": mask.GetID(),
        }
        run = slicer.cli.runSync(slicer.modules.swissskullstripper, None, parameters)
        failed, why = bool(run.GetStatus() & run.ErrorsMask), run.GetErrorText()
        scene.RemoveNode(run)
        if failed:
            raise RuntimeError(why)
    finally:
        scene.RemoveNode(stripped)
    mask.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
