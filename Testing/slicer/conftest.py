"""The scene code runs on real MRML nodes, without Qt and without ``slicer.app``."""

from standins.scene_fixtures import mrml, scene

__all__ = ["mrml", "scene"]
