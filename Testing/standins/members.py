"""What lies on a wrapper class: properties, slots and signals, as descriptors."""

from __future__ import annotations

from PySide6 import QtCore

from standins.calls import BoundSlot, Slot
from standins.cpp_types import Mismatch, coerce
from standins.signals import BoundSignal
from standins.surface import Property
from standins.wrapper import Wrapper, live_target
from standins.wrapping import wrap


class PropertyMember:
    """A Q_PROPERTY: read and written as an attribute, and only so (1, 5)."""

    kind = "Property"

    def __init__(self, class_name: str, name: str, qt_name: str, details: Property) -> None:
        self._class_name, self._name, self._qt_name, self._details = class_name, name, qt_name, details

    def __get__(self, instance: Wrapper | None, owner: type) -> object:
        if instance is None:
            raise AttributeError(f"type object '{owner.__name__}' has no attribute '{self._name}'")
        target = live_target(instance)
        if target is None:
            raise ValueError(f"Trying to read property '{self._name}' from a destroyed {self._class_name} object")
        return wrap(target.property(self._qt_name))

    def __set__(self, instance: Wrapper, value: object) -> None:
        target = live_target(instance)
        if target is None:
            raise AttributeError(f"Trying to set property '{self._name}' on a destroyed {self._class_name} object")
        if not self._details.writable:
            raise AttributeError(f"Property '{self._name}' of {type(instance).__name__} object is not writable")
        if not self._write(target, value):
            raise AttributeError(
                f"Property '{self._name}' of type '{self._details.cpp_type}' does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            )

    def _write(self, target: QtCore.QObject, value: object) -> bool:
        try:
            converted = coerce(value, self._details.cpp_type, False, self._details.declared_in)
        except Mismatch:
            return False
        return target.setProperty(self._qt_name, converted)


class MethodMember:
    """A slot, an invokable or a wrapped public method; a static one can be called on the class as well."""

    kind = "Slot"

    def __init__(self, slot: Slot) -> None:
        self.slot = slot

    def __get__(self, instance: Wrapper | None, owner: type) -> BoundSlot:
        return BoundSlot(self.slot, instance)


class SignalMember:
    """A signal of the surface."""

    kind = "Signal"

    def __init__(self, class_name: str, name: str, signatures: tuple[str, ...]) -> None:
        self.class_name, self.name, self.signatures = class_name, name, signatures

    def __get__(self, instance: Wrapper | None, owner: type) -> BoundSignal:
        if instance is None:
            raise AttributeError(f"signal '{self.name}' of {owner.__name__} needs an instance")
        return BoundSignal(instance, self.name, self.signatures)
