"""A synthetic brain with a known tumour, as volumes of the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

import slicer
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.synthetic.brain import SyntheticCase, synthetic_case

# Small enough for a second on any computer, large enough for a tumour of a few hundred voxels.
SIZE, SPACING = (48, 56, 48), (3.0, 3.0, 3.0)


@dataclass(frozen=True)
class SyntheticScene:
    """What lies in the scene.

    Attributes:
        case: The images and the truth.
        volumes: Channel to volume node.
    """

    case: SyntheticCase
    volumes: dict[str, slicer.vtkMRMLScalarVolumeNode]


def add_synthetic_study(scene: slicer.vtkMRMLScene, seed: int = 1) -> SyntheticScene:
    """Make a study and add its channels to the scene."""
    case = synthetic_case(seed, size=SIZE, spacing=SPACING)
    return SyntheticScene(case, {name: add_volume(scene, name, image) for name, image in case.study.channels.items()})


def add_volume(scene: slicer.vtkMRMLScene, name: str, image: sitk.Image) -> slicer.vtkMRMLScalarVolumeNode:
    """Add an image as a volume node."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(node, np.asarray(sitk.GetArrayFromImage(image)))
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(Grid.from_image(image).ijk_to_ras))
    return node
