"""What ``api_surface.json`` says about a class: its properties, methods, signals and enums with those of its bases."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("api_surface.json")

Overloads = tuple[tuple[str, ...], ...]

# Methods that PythonQt itself gives to every wrapper (PythonQtStdDecorators and the instance wrapper).
INTERNAL_QOBJECT_METHODS = (
    *("connect", "disconnect", "findChild", "findChildren", "parent", "setParent", "children"),
    *("property", "setProperty", "metaObject", "tr"),
)
INTERNAL_METHODS = ("className", "inherits", "help", "delete")


@dataclass(frozen=True)
class Property:
    cpp_type: str
    writable: bool
    declared_in: str


@dataclass(frozen=True)
class ClassSurface:
    """One class as Python sees it. Argument types are C++ spellings; a trailing ``=`` marks an optional argument."""

    name: str
    chain: tuple[str, ...]
    constructors: Overloads
    properties: dict[str, Property]
    methods: dict[str, Overloads]
    static: dict[str, Overloads]
    signals: dict[str, tuple[str, ...]]
    enums: dict[str, tuple[str, ...]]

    @property
    def is_qobject(self) -> bool:
        return "QObject" in self.chain


@cache
def _document() -> dict:
    return json.loads(_FILE.read_text(encoding="utf-8"))


def class_names() -> frozenset[str]:
    return frozenset(_document()["classes"])


def python_module(name: str) -> dict:
    """Functions, classes and version differences of a Python module such as ``slicer.packaging``."""
    return _document()["python"][name]


def _chain(name: str) -> tuple[str, ...]:
    """The class and its bases, nearest first."""
    chain = [name]
    for base in _document()["classes"][name]["bases"]:
        chain += [ancestor for ancestor in _chain(base) if ancestor not in chain]
    return tuple(chain)


def _merge(into: dict[str, list], overloads: dict[str, list]) -> None:
    for name, candidates in overloads.items():
        known = into.setdefault(name, [])
        known.extend(tuple(candidate) for candidate in candidates if tuple(candidate) not in known)


@cache
def class_surface(name: str) -> ClassSurface:
    """The surface of a class with everything it inherits.

    Raises:
        KeyError: the class is not listed.
    """
    classes = _document()["classes"]
    chain = _chain(name)
    properties: dict[str, Property] = {}
    methods: dict[str, list] = {}
    static: dict[str, list] = {}
    signals: dict[str, list] = {}
    enums: dict[str, tuple[str, ...]] = {}
    for ancestor in chain:
        entry = classes[ancestor]
        for property_name, (cpp_type, writable) in entry["properties"].items():
            properties.setdefault(property_name, Property(cpp_type, writable, ancestor))
        _merge(methods, entry["methods"])
        _merge(static, entry["static"])
        for enum, values in entry["enums"].items():
            enums.setdefault(enum, tuple(values))
    # PythonQt takes the first overload in the order of the meta object: that of the base comes first.
    for ancestor in reversed(chain):
        for signature in classes[ancestor]["signals"]:
            known = signals.setdefault(signature.split("(")[0], [])
            if signature not in known:
                known.append(signature)
    if "QTimer" in chain:
        del properties["singleShot"]  # hidden by PythonQt (rule 20)
    if "QObject" in chain:
        properties.setdefault("name", Property("QString", True, "QObject"))  # alias of objectName (rule 19)
        for method in INTERNAL_QOBJECT_METHODS:
            methods.pop(method, None)
    return ClassSurface(
        name=name,
        chain=chain,
        constructors=tuple(tuple(arguments) for arguments in classes[name]["constructors"]),
        properties=properties,
        methods={method: tuple(overloads) for method, overloads in methods.items()},
        static={method: tuple(overloads) for method, overloads in static.items()},
        signals={signal: tuple(signatures) for signal, signatures in signals.items()},
        enums=enums,
    )
