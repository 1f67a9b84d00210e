"""Fixtures of the MRML half (no Qt): import them in a suite's ``conftest.py``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from standins import i18n
from standins.mrml import MRMLWorld, mrml_world

i18n.install()


@pytest.fixture
def mrml() -> Iterator[MRMLWorld]:
    """A fresh real MRML world; ``slicer.mrmlScene`` and ``slicer.modules`` belong to it."""
    with mrml_world() as world:
        yield world


@pytest.fixture
def scene(mrml: MRMLWorld):
    """A fresh real ``vtkMRMLScene``, the same object as ``slicer.mrmlScene``."""
    return mrml.scene
