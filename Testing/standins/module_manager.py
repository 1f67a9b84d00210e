"""``slicer.app.moduleManager()``, a scripted module's C++ parent, and the widget that C++ makes for it."""

from __future__ import annotations

from PySide6 import QtCore, QtGui

from standins.implementations import register
from standins.mrml_widgets import qSlicerWidget
from standins.stored import stored


@register
class qSlicerScriptedLoadableModule(QtCore.QObject):
    title = stored("title", "")
    categories = stored("categories", [], "QStringList")
    contributors = stored("contributors", [], "QStringList")
    associatedNodeTypes = stored("associatedNodeTypes", [], "QStringList")
    dependencies = stored("dependencies", [], "QStringList")
    helpText = stored("helpText", "")
    acknowledgementText = stored("acknowledgementText", "")
    icon = stored("icon", QtGui.QIcon(), QtGui.QIcon)
    hidden = stored("hidden", False)
    index = stored("index", -1)
    isInstalled = QtCore.Property(bool, lambda self: True)
    isBuiltIn = QtCore.Property(bool, lambda self: False)
    name = QtCore.Property(str, lambda self: self._name)
    path = QtCore.Property(str, lambda self: self._path)

    def __init__(self, name: str, path: str) -> None:
        super().__init__()
        self._name, self._path = name, path


@register
class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    moduleName = QtCore.Property(str, lambda self: self.objectName().removesuffix("ModuleWidget"))
    isEntered = stored("isEntered", False)


@register
class qSlicerModuleManager(QtCore.QObject):
    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.modules: dict[str, QtCore.QObject] = {}

    def module(self, name: str) -> QtCore.QObject | None:
        return self.modules.get(name)

    def modulesNames(self) -> list[str]:
        return list(self.modules)
