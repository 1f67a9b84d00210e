"""Build a scripted module's panel the way Slicer's C++ side does, and take it down again."""

from __future__ import annotations

import inspect
import sys

from PySide6 import QtWidgets

from standins.environment import SlicerEnvironment
from standins.module_manager import qSlicerScriptedLoadableModule, qSlicerScriptedLoadableModuleWidget
from standins.wheel import slicer
from standins.wrapping import wrap


class WidgetMaker:
    """Call it with a widget class; :meth:`unload` takes a panel down as Slicer does when it closes or reloads."""

    def __init__(self, environment: SlicerEnvironment) -> None:
        self._environment = environment
        self._loaded: list[tuple[object, qSlicerScriptedLoadableModuleWidget]] = []

    def __call__(self, widget_class: type, enter: bool = True) -> object:
        """The module's widget after ``setup()``, and after ``enter()`` unless that is left to the test."""
        name = widget_class.__name__.removesuffix("Widget")
        self._load_module(name, widget_class)
        parent = qSlicerScriptedLoadableModuleWidget()
        parent.setObjectName(f"{name}ModuleWidget")
        parent.setLayout(QtWidgets.QVBoxLayout())
        widget = widget_class(wrap(parent))
        self._loaded.append((widget, parent))
        setattr(slicer.modules, f"{name}Widget", widget)
        widget.setup()
        parent.setMRMLScene(self._environment.scene)
        self._show(parent)
        if enter:
            self.enter(widget)
        return widget

    def _load_module(self, name: str, widget_class: type) -> None:
        module = qSlicerScriptedLoadableModule(name, inspect.getfile(widget_class))
        setattr(slicer.modules, name.lower(), wrap(module))
        self._environment.state.module_manager.modules[name] = module
        module_class = getattr(sys.modules[widget_class.__module__], name, None)
        if module_class is not None:
            setattr(slicer.modules, f"{name}Instance", module_class(wrap(module)))

    def _show(self, parent: qSlicerScriptedLoadableModuleWidget) -> None:
        area = QtWidgets.QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(parent)
        window = self._environment.main_window._standin_target
        window.setCentralWidget(area)
        window.show()

    def _parent(self, widget: object) -> qSlicerScriptedLoadableModuleWidget:
        return next(parent for loaded, parent in self._loaded if loaded is widget)

    def enter(self, widget: object) -> None:
        """The person switches to the module."""
        self._parent(widget).setProperty("isEntered", True)
        if hasattr(widget, "enter"):
            widget.enter()

    def exit(self, widget: object) -> None:
        """The person switches to another module."""
        self._parent(widget).setProperty("isEntered", False)
        if hasattr(widget, "exit"):
            widget.exit()

    def unload(self, widget: object) -> None:
        """Leave the panel, let it clean up, and delete its widgets."""
        parent = self._parent(widget)
        if parent.property("isEntered"):
            self.exit(widget)
        name = widget.moduleName
        self._environment.state.module_manager.moduleAboutToBeUnloaded.emit(name)
        self._loaded = [entry for entry in self._loaded if entry[0] is not widget]
        for attribute in (name.lower(), f"{name}Instance", f"{name}Widget"):
            if attribute in vars(slicer.modules):
                delattr(slicer.modules, attribute)
        parent.deleteLater()

    def unload_all(self) -> None:
        for widget, _ in list(self._loaded):
            self.unload(widget)
