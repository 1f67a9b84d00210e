"""Small scenes with known truth: volumes in all the geometries that scanners make, and a mask no two axes of which look
alike, so that a swapped axis, a swapped label or a lost transform cannot go unnoticed.
"""

from __future__ import annotations

import numpy as np
import vtk

from convnextseg_engine.labels.contract import LabelContract
from standins.wheel import slicer

SHAPE = (10, 14, 18)  # (K, J, I)
MODEL = {"name": "phantom", "version": "v1", "title": "Phantom", "intended_use": "Not for clinical use."}


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    transform = vtk.vtkTransform()
    transform.RotateWXYZ(degrees, *axis)
    return slicer.util.arrayFromVTKMatrix(transform.GetMatrix())


def geometry(spacing=(1, 1, 1), origin=(0, 0, 0), turn=None) -> np.ndarray:
    """4×4 IJK-to-RAS matrix."""
    matrix = (np.eye(4) if turn is None else turn) @ np.diag([*spacing, 1.0])
    matrix[:3, 3] = origin
    return matrix


GEOMETRIES = {
    "identity": geometry(),
    "anisotropic": geometry((0.9, 1.1, 5.0), (-40.5, 12.25, 7)),
    "oblique": geometry((0.9375, 0.9375, 3.3), (61.2, -80.7, 33.1), rotation((1, 2, 0.5), 31)),
    "left-handed": geometry((-0.7, 1.2, 4.0), (88, -10, 0.3), rotation((0.3, 1, 0.2), -17)),
}
# Two parents, one above the other: a person's registrations are often stacked.
PARENTS = {
    "no parent": (),
    "moved and turned": (geometry(origin=(12, -34.5, 7.7), turn=rotation((0, 0.2, 1), 25)),),
    "two parents": (
        geometry(origin=(5, 6, -70), turn=rotation((1, 0, 0), 90)),
        geometry(origin=(-3, 0.5, 2), turn=rotation((0, 1, 0.1), -12)),
    ),
}


def phantom_mask() -> np.ndarray:
    """uint8 mask ``(D, H, W)`` with edema 2, core 1 and enhancing 4, each of another size and place."""
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[1:7, 3:12, 5:17] = 2
    mask[2, 3:12, 2:5] = 2  # an arm towards low I, in one slice only
    mask[3:5, 5:10, 8:15] = 1
    mask[4, 6, 9:13] = 4
    mask[3, 8, 14] = 4
    return mask


def phantom_image(dtype=np.int16) -> np.ndarray:
    return (np.arange(np.prod(SHAPE)).reshape(SHAPE) % 997 + 10 * phantom_mask().astype(int)).astype(dtype)


def add_volume(scene, matrix=None, *, name="T1c", array=None, parents=(), class_name="vtkMRMLScalarVolumeNode"):
    """Add a volume; ``parents`` are 4×4 matrices, the nearest first."""
    volume = slicer.util.addVolumeFromArray(
        phantom_image() if array is None else array, geometry() if matrix is None else matrix, name, class_name
    )
    put_under(scene, volume, parents)
    return volume


def put_under(scene, node, parents) -> None:
    for number, matrix in enumerate(parents):
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", f"parent {number}")
        slicer.util.updateTransformMatrixFromArray(transform, matrix)
        node.SetAndObserveTransformNodeID(transform.GetID())
        node = transform


def put_under_warp(scene, node) -> None:
    """Put a node under a non-linear transform."""
    points = np.array([[0, 0, 0], [50, 0, 0], [0, 50, 0], [0, 0, 50], [20, 20, 20]], dtype=float)
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for number, point in enumerate(points):
        source.InsertNextPoint(point)
        target.InsertNextPoint(point + (3 if number == 4 else 0))
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    warp = scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    warp.SetAndObserveTransformToParent(spline)
    node.SetAndObserveTransformNodeID(warp.GetID())


def to_world(parents) -> np.ndarray:
    """Product of the parents' matrices, from the node to the world."""
    matrix = np.eye(4)
    for parent in parents:
        matrix = parent @ matrix
    return matrix


def brain_contract(repository) -> LabelContract:
    return LabelContract.read(repository / "ConvNeXtSeg/convnextseg_engine/data/contracts/brain-tumour.json")


def segment_array(node, name, volume=None) -> np.ndarray:
    """Voxels of the segment called ``name`` on its reference volume, by Slicer's own exporter."""
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    assert segment_id, f"no segment called {name}"
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume) != 0


def segment_points(node, name) -> np.ndarray:
    """World RAS positions of a segment's voxel centres, shape ``(N, 3)``, sorted; by the labelmap's own geometry."""
    segment_id = node.GetSegmentation().GetSegmentIdBySegmentName(name)
    image = slicer.vtkOrientedImageData()
    assert node.GetBinaryLabelmapRepresentation(segment_id, image)
    extent = image.GetExtent()
    scalars = image.GetPointData().GetScalars()
    array = vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(tuple(reversed(image.GetDimensions())))
    index = np.argwhere(array != 0)[:, ::-1] + np.array(extent[::2])
    matrix, parent = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(node.GetParentTransformNode(), None, parent)
    whole = slicer.util.arrayFromVTKMatrix(parent) @ slicer.util.arrayFromVTKMatrix(matrix)
    return _sorted(np.c_[index, np.ones(len(index))] @ whole.T)


def mask_points(mask, value, matrix, parents) -> np.ndarray:
    """World RAS positions where ``mask`` has ``value``, from first principles."""
    index = np.argwhere(mask == value)[:, ::-1]
    return _sorted(np.c_[index, np.ones(len(index))] @ (to_world(parents) @ matrix).T)


def _sorted(points) -> np.ndarray:
    points = points[:, :3]
    return points[np.lexsort(np.round(points, 3).T)]
