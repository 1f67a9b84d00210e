"""Tests that run inside an installed Slicer, and in the checkout over the stand-ins."""

from __future__ import annotations

import importlib
import pkgutil
import unittest


def suite() -> unittest.TestSuite:
    """Return every test of this package."""
    loader = unittest.defaultTestLoader
    modules = (importlib.import_module(found.name) for found in pkgutil.iter_modules(__path__, f"{__name__}."))
    return unittest.TestSuite(loader.loadTestsFromModule(module) for module in modules)
