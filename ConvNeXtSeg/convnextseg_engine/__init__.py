"""The engine of ConvNeXtSeg: images, labels, networks, models, inference and training, without Slicer.

Importing this package imports neither torch nor monai, so that the Slicer process may use the rooms
that need neither (``errors``, ``images.grid``, ``labels``, ``models``, ``worker.session``).
"""

__version__ = "0.1.0"
