"""``slicer.packaging`` (5.12) and what ``slicer.util`` had before (5.10): nothing is installed, all is remembered."""

from __future__ import annotations

import importlib.metadata
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement

from standins.gaps import StandInGap
from standins.surface import python_module
from standins.wheel import slicer

# Parameter of main that 5.12.3 has, too; the one that only 5.12.3 has (``parent``) is refused.
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
        for callback in (keywords.get("completedCallback"),):
            if keywords.get("blocking") is False and callback is not None:
                callback(0)

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
    """Allow only the arguments that Slicer's function has."""
    listed = [item.partition("=")[0] for item in python_module("slicer.packaging")["functions"][name]]

    def call(*arguments: object, **keywords: object) -> object:
        if len(arguments) > len(listed):
            raise TypeError(f"{name}() takes {len(listed)} arguments but {len(arguments)} were given")
        named = dict(zip(listed, arguments, strict=False))
        for keyword, value in keywords.items():
            if keyword not in listed or keyword in named:
                raise TypeError(f"{name}() got an unexpected or repeated keyword argument '{keyword}'")
            named[keyword] = value
        first = named.pop(listed[0]) if listed and listed[0] in named else inspect.Parameter.empty
        return function(**named) if first is inspect.Parameter.empty else function(first, **named)

    call.__name__ = name
    return call


def install(version: str, installed: list[tuple]) -> None:
    """Make the packaging functions of a Slicer version available; what they are asked for goes to ``installed``."""
    _INSTALLED[0] = installed
    uninstall()
    if version.startswith("5.10"):
        slicer.util.pip_install = lambda requirements: _remember("pip_install")(requirements)
        slicer.util.pip_uninstall = lambda requirements: _remember("pip_uninstall")(requirements)
        return
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
    sys.modules[module.__name__] = slicer.packaging = module


_REAL = {name: getattr(slicer.util, name) for name in ("pip_install", "pip_uninstall")}


def uninstall() -> None:
    sys.modules.pop("slicer.packaging", None)
    if hasattr(slicer, "packaging"):
        del slicer.packaging
    for name, function in _REAL.items():
        setattr(slicer.util, name, function)
