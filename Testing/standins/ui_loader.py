"""``QUiLoader``: loads a ``.ui`` with CTK's and Slicer's widgets, and refuses what their real classes lack.

Qt's loader lets unknown properties and unknown connections pass with a warning on stderr; in a test that is an error.
"""

from __future__ import annotations

from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from standins.implementations import enum_values, implementation, is_own, register
from standins.signals import argument_types
from standins.surface import class_names, class_surface


class UiFileError(AssertionError):
    """The file names something that the real classes do not have."""


@register
class QUiLoader(QtUiTools.QUiLoader):
    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget | None:
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        widgets = {element.get("name"): element.get("class") for element in tree.iter("widget")}
        for class_name in set(widgets.values()):
            _check_class(class_name)
            if is_own(class_name):
                self.registerCustomWidget(implementation(class_name))
        later = []
        for element in tree.iter("widget"):
            _check_properties(element)
            later += _take_enums(element)
        connections = list(tree.iter("connection"))
        for element in connections:
            _check_connection(element, widgets)
        section = tree.find("connections")
        if section is not None:
            tree.remove(section)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(tree))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        for name, property_name, value in later:
            _find(widget, name).setProperty(property_name, value)
        for element in connections:
            _connect(widget, element)
        return widget


def _check_class(class_name: str) -> None:
    if class_name == "Line":  # Designer's name for a QFrame
        return
    if class_name not in class_names() or implementation(class_name) is None:
        raise UiFileError(f"<widget class='{class_name}'>: not a listed class, or without a stand-in")


def _check_properties(element: ElementTree.Element) -> None:
    class_name = element.get("class")
    if class_name == "Line":
        return
    properties = class_surface(class_name).properties
    for item in element.findall("property"):
        dynamic = item.get("stdset") == "0" and item.get("name", "").startswith("Slicer")
        if item.get("name") not in properties and not dynamic:
            raise UiFileError(f"{class_name} {element.get('name')} has no property '{item.get('name')}'")


def _check_connection(element: ElementTree.Element, widgets: dict[str, str]) -> None:
    sender, receiver = element.findtext("sender"), element.findtext("receiver")
    signal, slot = element.findtext("signal"), element.findtext("slot")
    for name in (sender, receiver):
        if name not in widgets:
            raise UiFileError(f"a connection names '{name}', which is no widget of the file")
    listed = class_surface(widgets[sender]).signals.get(signal.split("(")[0], ())
    if signal not in listed:
        raise UiFileError(f"{widgets[sender]} has no signal {signal}")
    overloads = class_surface(widgets[receiver]).methods.get(slot.split("(")[0], ())
    if argument_types(slot) not in [tuple(item.rstrip("=") for item in overload) for overload in overloads]:
        raise UiFileError(f"{widgets[receiver]} has no slot {slot}")


def _take_enums(element: ElementTree.Element) -> list[tuple[str, str, int]]:
    """Take CTK's and Slicer's enum properties out: Qt's loader cannot read enumerators of classes made in Python."""
    class_name = element.get("class")
    if not is_own(class_name):
        return []
    taken = []
    for item in element.findall("property"):
        text = item.findtext("enum") or item.findtext("set")
        details = class_surface(class_name).properties.get(item.get("name"))
        values = enum_values(details.declared_in).get(details.cpp_type) if text and details else None
        if values is None:
            continue
        keys = [key.rpartition("::")[2] for key in text.split("|")]
        unknown = [key for key in keys if key not in values]
        if unknown:
            raise UiFileError(f"{class_name} has no {details.cpp_type} {unknown}")
        taken.append((element.get("name"), item.get("name"), sum({values[key] for key in keys})))
        element.remove(item)
    return taken


def _find(top: QtWidgets.QWidget, name: str) -> QtWidgets.QWidget:
    return top if top.objectName() == name else top.findChild(QtWidgets.QWidget, name)


def _connect(top: QtWidgets.QWidget, element: ElementTree.Element) -> None:
    signal, slot = element.findtext("signal"), element.findtext("slot")
    receiver = getattr(_find(top, element.findtext("receiver")), slot.split("(")[0])
    count = len(argument_types(slot))
    sender = getattr(_find(top, element.findtext("sender")), signal.split("(")[0])
    sender.connect(lambda *arguments: receiver(*arguments[:count]))
