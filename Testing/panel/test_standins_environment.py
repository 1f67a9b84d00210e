"""The Slicer that a panel test runs in: application, modules, loading of .ui files, versions, dialogs."""

from __future__ import annotations

import shutil

import pytest

import slicer


def test_a_module_widget_lives_as_in_slicer(make_widget, spin, slicer_panel_environment):
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
    assert slicer.modules.sample.path == __file__
    assert slicer.util.modulePath("Sample") == __file__
    assert widget.resourcePath("UI/x.ui").endswith("panel/Resources/UI/x.ui")
    assert widget.button.visible
    make_widget.unload(widget)
    spin()
    assert calls == ["setup", "enter", "exit", "cleanup"]
    assert widget.button == None  # noqa: E711 (a deleted object equals None, it is not None)
