"""``slicer.packaging`` (5.12) and what ``slicer.util`` had before (5.10): nothing is installed, all is remembered."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

from standins.gaps import StandInGap
from standins.surface import python_module
from standins.wheel import slicer

# Where the present test wants to read what was asked for.
_INSTALLED: list[list[tuple]] = [[]]


def load_requirements(path: str | Path) -> list[Requirement]:
    lines = (line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _as_list(requirements: object) -> list[str]:
    many = requirements if isinstance(requirements, list | tuple) else [requirements]
    return [str(item) for item in many]


def pip_check(req: object, _seen: object = None) -> bool:
    for text in _as_list(req):
        requirement = Requirement(text)
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def _remember(name: str) -> Callable:
    def call(requirements: object, **keywords: object) -> None:
        _INSTALLED[0].append((name, _as_list(requirements), keywords))
        completed = keywords.get("completedCallback")
        if keywords.get("blocking") is False and completed is not None:
            completed(0)

    return call


def pip_ensure(requirements: object, **keywords: object) -> None:
    if slicer.app.testingEnabled() and keywords.get("skip_in_testing", True):
        return
    if not all(pip_check(item) for item in _as_list(requirements)):
        _remember("pip_ensure")(requirements, **keywords)


def isPipInstallInProgress() -> bool:
    return False


def load_pyproject_dependencies(path: str | Path) -> list[Requirement]:
    raise StandInGap("slicer.packaging", "load_pyproject_dependencies")


def _strict(name: str, function: Callable) -> Callable:
    """Allow only the arguments that Slicer's function has (``parent`` is in 5.12.3 only, so it is refused)."""
    listed = [item.partition("=")[0] for item in python_module("slicer.packaging")["functions"][name]]

    def call(*arguments: object, **keywords: object) -> object:
        unknown = [keyword for keyword in keywords if keyword not in listed[len(arguments) :]]
        if unknown or len(arguments) > len(listed):
            raise TypeError(f"{name}({', '.join(listed)}) got unexpected arguments {unknown or arguments}")
        named = dict(zip(listed, arguments, strict=False)) | keywords
        positional = [named.pop(first) for first in listed[:1] if first in named]
        return function(*positional, **named)

    call.__name__ = name
    return call


@contextmanager
def packaging_of(version: str, installed: list[tuple]) -> Iterator[None]:
    """For the time being: the packaging functions of a Slicer version.

    Args:
        version: ``"5.10"`` has ``slicer.util.pip_install`` and ``pip_uninstall`` only.
        installed: receives what they are asked for: function, requirements, keywords.
    """
    _INSTALLED[0] = installed
    before = {name: getattr(slicer.util, name) for name in ("pip_install", "pip_uninstall")}
    if version == "5.10":
        for name in before:
            setattr(slicer.util, name, functools.partial(_old_function, name))
    else:
        slicer.packaging = sys.modules["slicer.packaging"] = _module()
    try:
        yield
    finally:
        vars(slicer.util).update(before)
        sys.modules.pop("slicer.packaging", None)
        vars(slicer).pop("packaging", None)


def _old_function(name: str, requirements: object) -> None:
    _remember(name)(requirements)


def _module() -> ModuleType:
    functions = {
        "load_requirements": load_requirements,
        "load_pyproject_dependencies": load_pyproject_dependencies,
        "pip_check": pip_check,
        "pip_ensure": pip_ensure,
        "pip_install": _remember("pip_install"),
        "pip_uninstall": _remember("pip_uninstall"),
        "isPipInstallInProgress": isPipInstallInProgress,
    }
    module = ModuleType("slicer.packaging", __doc__)
    for name, function in functions.items():
        setattr(module, name, _strict(name, function))
    return module
