"""Makes the label terminology that ships with the extension known to Slicer's terminology selector."""

from __future__ import annotations

from pathlib import Path

import vtk

import slicer
from convnextseg_engine.labels.terminology import OWN_CONTEXT

TERMINOLOGY_FILE = Path(__file__).resolve().parents[2] / "Resources" / "Terminologies" / "ConvNeXtSeg.term.json"


def load_terminology(logic: slicer.vtkSlicerTerminologiesModuleLogic | None = None) -> bool:
    """Load the extension's terminology once, so that *Enhancing Lesion* can be picked in the Segment Editor.

    Slicer's own lists have no code for it. Segments keep their codes without the list; only picking them needs it.

    Args:
        logic: Terminologies logic; ``slicer.modules.terminologies``'s if None.

    Returns:
        True if the terminology is known to Slicer afterwards.
    """
    if logic is None:
        module = getattr(slicer.modules, "terminologies", None)
        if module is None:
            return False
        logic = module.logic()
    loaded = vtk.vtkStringArray()
    logic.GetLoadedTerminologyNames(loaded)
    if OWN_CONTEXT in {loaded.GetValue(n) for n in range(loaded.GetNumberOfValues())}:
        return True
    return logic.LoadTerminologyFromFile(str(TERMINOLOGY_FILE)) == OWN_CONTEXT
