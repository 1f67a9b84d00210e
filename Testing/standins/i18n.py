"""The module ``slicer.i18n``: no translation is loaded, so a text is its own translation."""

from __future__ import annotations

import sys
from types import ModuleType

from standins.wheel import slicer


def translate(context: str, text: str) -> str:
    if not isinstance(context, str) or not isinstance(text, str):
        raise TypeError("translate(context, text) takes two strings")
    return text


def getContext(sourceFile: str) -> str:
    """``…/Folder/__init__.py`` has the context ``Folder``, any other file its own name."""
    folder, _, name = sourceFile.replace("\\", "/").rpartition("/")
    stem = name.removesuffix(".py")
    return folder.rpartition("/")[2] if stem == "__init__" else stem


def tr(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"tr(text) takes a string, not {type(text).__name__}")
    return text


def install() -> None:
    """Make ``from slicer.i18n import tr`` work; it needs no Qt."""
    module = ModuleType("slicer.i18n", __doc__)
    module.tr, module.translate, module.getContext = tr, translate, getContext
    sys.modules["slicer.i18n"] = slicer.i18n = module
