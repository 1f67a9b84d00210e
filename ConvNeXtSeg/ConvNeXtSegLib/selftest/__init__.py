"""Tests that run inside an installed Slicer, and here over the stand-ins."""
