"""Moving the slice views to a voxel of a volume."""

from __future__ import annotations

import numpy as np
import slicer.util

import slicer

from .volumes import world_grid


def jump_to_voxel(
    scene: slicer.vtkMRMLScene, volume: slicer.vtkMRMLScalarVolumeNode, voxel: tuple[int, int, int]
) -> np.ndarray:
    """Move every slice view so that it shows a voxel; what is to be seen within the slices stays where it is.

    Args:
        scene: The scene of the volume.
        volume: The volume.
        voxel: Index along the array's axes, ``(K, J, I)``.

    Returns:
        The voxel's position in the world, RAS mm.

    Raises:
        InputError: The volume lies under a transform that is not linear.
    """
    k, j, i = voxel
    place = (world_grid(volume).ijk_to_ras @ (i, j, k, 1.0))[:3]
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode", scene):
        view.JumpSliceByOffsetting(*place)
    return place
