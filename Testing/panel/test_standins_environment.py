"""The Slicer that a panel test runs in: application, modules, versions, messages."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

import slicer


def test_a_module_widget_lives_as_in_slicer(make_widget, spin):
    import qt
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget

    calls = []

    class SampleWidget(ScriptedLoadableModuleWidget):
        def setup(self):
            super().setup()
            self.button = qt.QPushButton("Go")
            self.layout.addWidget(self.button)
            calls.append("setup")

        def enter(self):
            calls.append("enter")

        def exit(self):
            calls.append("exit")

        def cleanup(self):
            calls.append("cleanup")

    widget = make_widget(SampleWidget)
    assert widget.parent.inherits("qSlicerScriptedLoadableModuleWidget")
    assert slicer.util.modulePath("Sample") == __file__
    assert Path(widget.resourcePath("UI/x.ui")) == Path(__file__).parent / "Resources" / "UI" / "x.ui"
    assert widget.button.visible
    make_widget.unload(widget)
    spin()
    assert calls == ["setup", "enter", "exit", "cleanup"]
    assert not widget.button


def test_the_application_offers_what_slicer_lists(slicer_panel_environment, scene):
    assert slicer.app.mrmlScene() is scene
    assert slicer.app.inherits("QApplication")
    assert slicer.app.testingEnabled() is False
    assert slicer.app.majorVersion == 5
    assert slicer.util.mainWindow() is slicer_panel_environment.main_window
    for hidden in ("mainWindow", "application", "patchVersion", "setTemporaryPath"):
        with pytest.raises(AttributeError):
            getattr(slicer.app, hidden)
    with pytest.raises(TypeError):
        slicer.app.slicerHome()


def test_pythonslicer_lies_where_slicer_has_it(slicer_panel_environment):
    home = Path(slicer.app.slicerHome)
    assert Path(shutil.which("PythonSlicer")) == home / "bin" / "PythonSlicer"


def test_slicers_messages_open_real_dialogs_unless_testing(slicer_panel_environment, dialogs):
    import qt

    dialogs.will_answer(qt.QMessageBox.Yes, qt.QMessageBox.No, qt.QMessageBox.Ok)
    assert slicer.util.confirmYesNoDisplay("Install?") is True
    assert slicer.util.confirmYesNoDisplay("Install?") is False
    slicer.util.errorDisplay("It failed.")
    assert [(shown.kind, shown.text) for shown in dialogs.shown] == [
        ("ctkMessageBox.exec", "Install?"),
        ("ctkMessageBox.exec", "Install?"),
        ("ctkMessageBox.exec", "It failed."),
    ]
    slicer_panel_environment.testing = True
    # Slicer 5.12 documents True here, but compares its True with the button's number.
    assert slicer.util.confirmYesNoDisplay("Install?") is False
    assert len(dialogs.shown) == 3


@pytest.mark.parametrize("slicer_version", ["5.12"])
def test_slicer_5_12_has_packaging_with_its_own_arguments(slicer_panel_environment):
    import slicer.packaging

    slicer.packaging.pip_ensure(["convnextseg-no-such-package>=1"], requester="ConvNeXtSeg")
    slicer.packaging.pip_ensure(["numpy>=1"], requester="ConvNeXtSeg")
    assert slicer_panel_environment.installed == [
        ("pip_ensure", ["convnextseg-no-such-package>=1"], {"requester": "ConvNeXtSeg"}),
    ]
    with pytest.raises(TypeError, match="parent"):
        slicer.packaging.pip_install("a", parent=None)


@pytest.mark.parametrize("slicer_version", ["5.10"])
def test_slicer_5_10_has_only_the_old_function(slicer_panel_environment):
    assert not hasattr(slicer, "packaging")
    with pytest.raises(ImportError):
        importlib.import_module("slicer.packaging")
    slicer.util.pip_install("monai>=1.5")
    with pytest.raises(TypeError):
        slicer.util.pip_install("monai>=1.5", requester="ConvNeXtSeg")
    assert slicer_panel_environment.installed == [("pip_install", ["monai>=1.5"], {})]
    assert not hasattr(slicer.util, "executePythonModule")
    with pytest.raises(TypeError, match="blocking"):
        slicer.util.launchConsoleProcess(["true"], blocking=False)


@pytest.mark.usefixtures("slicer_panel_environment")
def test_translation_takes_plain_texts_only():
    from slicer.i18n import tr as _
    from slicer.i18n import translate

    assert _("{n} files").format(n=3) == "3 files"
    assert translate("qSlicerAbstractCoreModule", "Segmentation") == "Segmentation"
    with pytest.raises(TypeError):
        _(3)


@pytest.mark.usefixtures("slicer_panel_environment")
def test_a_parameter_node_is_found_again(scene):
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

    class SampleLogic(ScriptedLoadableModuleLogic):
        pass

    node = SampleLogic().getParameterNode()
    assert SampleLogic().getParameterNode() is node
    assert node.GetSingletonTag() == "Sample"


def test_a_picture_of_the_panel_is_written(make_widget, grab, tmp_path):
    import qt
    from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget

    class PictureWidget(ScriptedLoadableModuleWidget):
        def setup(self):
            self.layout.addWidget(qt.QPushButton("Segment tumour"))

    path = grab(make_widget(PictureWidget).parent, tmp_path / "panel.png")
    assert not qt.QImage(str(path)).isNull()
