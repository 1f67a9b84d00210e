"""3D Slicer module ConvNeXtSeg: segment brain tumours, correct the result, let the model learn from the corrections."""

import sys
import unittest
from pathlib import Path

from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import slicer

# Installed extensions are on Python's path; a checkout that was added as module folder may not be.
_FOLDER = str(Path(__file__).resolve().parent)
if _FOLDER not in sys.path:
    sys.path.append(_FOLDER)

_OWN_PACKAGES = ("ConvNeXtSegLib", "convnextseg_engine")


class ConvNeXtSeg(ScriptedLoadableModule):
    """What Slicer lists: name, place and help."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("ConvNeXtSeg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "Terminologies", "Plots"]
        self.parent.contributors = ["ConvNeXtSeg contributors"]
        self.parent.helpText = _(
            "Segments tumours with MedNeXt and ConvUNeXt networks on your own computer: choose the images, click"
            " <b>Segment tumour</b>, correct the result in the Segment Editor, export the corrected label, and let the"
            " model learn from it. <b>For research; not for clinical use.</b>"
        )
        self.parent.acknowledgementText = _(
            "Networks: MedNeXt (Roy et al., MICCAI 2023). Built with PyTorch, MONAI, ITK and VTK."
        )


class ConvNeXtSegLogic(ScriptedLoadableModuleLogic):
    """What works without a panel: the workers, the models and the parameters of the scene."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        from ConvNeXtSegLib.panel.collaborators import real_collaborators

        self.collaborators = real_collaborators(slicer.mrmlScene)


class ConvNeXtSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel in Slicer's module area."""

    def __init__(self, parent=None):
        self.logic = None
        self.panel = None
        VTKObservationMixin.__init__(self)
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        """Build the panel; called once, when the module is shown for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        from ConvNeXtSegLib.charts import TrainingCharts, show_in_layout
        from ConvNeXtSegLib.panel.panel import Panel
        from ConvNeXtSegLib.scene.terminology import load_terminology

        load_terminology()
        self.logic = ConvNeXtSegLogic()
        charts = TrainingCharts(slicer.mrmlScene, show_in_layout)
        self.panel = Panel(self.layout, self.logic.collaborators, charts)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)

    def enter(self):
        """The module is shown."""
        if self.panel is not None:
            self.panel.enter()

    def exit(self):
        """Another module is shown; Slicer also says so after it has cleaned up."""
        if self.panel is not None:
            self.panel.leave()

    def cleanup(self):
        """Slicer closes or the module is reloaded: end the workers."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self.panel = None

    def onReload(self):
        """Reload our packages too, not only this file."""
        for name in list(sys.modules):
            if name.partition(".")[0] in _OWN_PACKAGES:
                del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, _caller, _event):
        """The scene is about to close."""
        self.panel.before_scene_closes()

    def onSceneEndClose(self, _caller, _event):
        """The scene is empty now."""
        self.panel.after_scene_closed()

    def onSceneEndImport(self, _caller, _event):
        """A scene was loaded."""
        self.panel.show_scene()


class ConvNeXtSegTest(ScriptedLoadableModuleTest):
    """Runs the self-tests that ship with the extension."""

    def runTest(self):
        """Run every test of ``ConvNeXtSegLib.selftest``; raises if one fails."""
        from ConvNeXtSegLib.selftest import suite

        result = unittest.TextTestRunner(verbosity=2).run(suite())
        self.assertTrue(result.wasSuccessful(), f"{len(result.failures) + len(result.errors)} self-tests failed")
        self.assertGreater(result.testsRun, 0, "no self-test was found")
