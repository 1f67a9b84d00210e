"""Strict stand-ins for the parts of 3D Slicer that the ``slicer-core`` wheel lacks; see the README beside this file."""
