"""The MRML world of the stand-ins is the real one, fresh for every test."""

from __future__ import annotations

import numpy as np
import pytest
import vtk

import slicer


def test_the_scene_is_real_mrml_and_slicer_util_works_on_it(scene):
    volume = slicer.util.addVolumeFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4), name="T1")
    assert slicer.util.getNode("T1") is volume
    assert volume.GetScene() is scene
    assert volume.GetImageData().GetDimensions() == (4, 3, 2)


def test_segments_come_in_and_go_out_on_the_volumes_grid(scene):
    volume = slicer.util.addVolumeFromArray(np.zeros((6, 7, 8), np.int16))
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 0, 2.0)
    volume.SetIJKToRASMatrix(matrix)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment_id = segmentation.GetSegmentation().AddEmptySegment("a", "edema")
    mask = np.zeros((6, 7, 8), np.uint8)
    mask[1:3, 2:5, 4] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment_id, volume)
    assert np.array_equal(slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, volume), mask)


def test_every_test_starts_with_an_empty_scene(scene):
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) is not None


def test_a_module_that_is_not_loaded_is_refused(scene):
    with pytest.raises(AttributeError):
        _ = slicer.modules.markups
    with pytest.raises(AttributeError):
        _ = slicer.modules.volumes.widgetRepresentation
