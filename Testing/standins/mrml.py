"""A real MRML world, headless: scene, application logic and module logics of the ``slicer-core`` wheel.

Nothing here imitates MRML. The scene, the nodes, the logics and ``slicer.util`` are Slicer's own; only
``slicer.modules`` is ours, and it offers no more than ``name`` and ``logic()`` of a module.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import vtk

from standins.wheel import slicer

# Attribute of slicer.modules -> (module name, class of its logic in the wheel).
MODULE_LOGICS = {
    "colors": ("Colors", "vtkSlicerColorLogic"),
    "plots": ("Plots", "vtkSlicerPlotsLogic"),
    "segmentations": ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    "subjecthierarchy": ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    "tables": ("Tables", "vtkSlicerTablesLogic"),
    "terminologies": ("Terminologies", "vtkSlicerTerminologiesModuleLogic"),
    "transforms": ("Transforms", "vtkSlicerTransformLogic"),
    "volumes": ("Volumes", "vtkSlicerVolumesLogic"),
}


class LoadedModule:
    """One entry of ``slicer.modules`` (a ``qSlicerAbstractCoreModule``), reduced to its name and its logic."""

    __slots__ = ("_logic", "name")

    def __init__(self, name: str, logic: object) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> object:
        return self._logic


class Modules:
    """``slicer.modules``: a module that is not loaded is an ``AttributeError``, as in Slicer."""

    def __init__(self, loaded: dict[str, object]) -> None:
        self.__dict__.update(loaded)

    def __getattr__(self, name: str) -> object:
        raise AttributeError(f"module 'modules' has no attribute '{name}'")


@dataclass(frozen=True)
class MRMLWorld:
    """What Slicer has set up before a module is loaded."""

    scene: slicer.vtkMRMLScene
    application_logic: slicer.vtkSlicerApplicationLogic
    modules: Modules


@contextmanager
def _quiet_vtk() -> Iterator[None]:
    # The wheel has no share folder: the terminology logic complains about Slicer's term files when it starts.
    before = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    try:
        yield
    finally:
        vtk.vtkLogger.SetStderrVerbosity(before)


@contextmanager
def mrml_world() -> Iterator[MRMLWorld]:
    """Set up a fresh scene with its logics, and take it apart again.

    Yields:
        The world. ``slicer.mrmlScene`` and ``slicer.modules`` point to it meanwhile.
    """
    application_logic = slicer.vtkSlicerApplicationLogic()
    scene = slicer.vtkMRMLScene()
    application_logic.SetMRMLScene(scene)
    loaded = {}
    with _quiet_vtk():
        for attribute, (name, class_name) in MODULE_LOGICS.items():
            logic = getattr(slicer, class_name)()
            logic.SetMRMLApplicationLogic(application_logic)
            logic.SetMRMLScene(scene)
            application_logic.SetModuleLogic(name, logic)
            loaded[attribute] = LoadedModule(name, logic)
    world = MRMLWorld(scene, application_logic, Modules(loaded))
    slicer.mrmlScene, slicer.modules = scene, world.modules
    try:
        yield world
    finally:
        scene.Clear(True)
        with _quiet_vtk():
            for module in loaded.values():
                module.logic().SetMRMLScene(None)
            application_logic.SetMRMLScene(None)
        # Python's garbage collection may destroy the scene much later; nobody may hear of that.
        scene.RemoveAllObservers()
        del slicer.mrmlScene, slicer.modules
