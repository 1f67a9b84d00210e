"""Import the ``slicer-core`` wheel past the folder ``Testing/slicer``.

``Testing`` is on pytest's path so that ``standins`` can be imported. The wheel's ``slicer`` package extends itself by
every folder named ``slicer`` on that path and would import our tests as modules of its own. So it is imported once
here, with ``Testing`` off the path; later ``import slicer`` statements find it loaded.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

_TESTING = Path(__file__).resolve().parent.parent


def _load() -> object:
    before = list(sys.path)
    sys.path[:] = [entry for entry in before if Path(entry).resolve() != _TESTING]
    try:
        return import_module("slicer")
    finally:
        sys.path[:] = before


slicer = _load()
