"""Faults between Slicer's scene and the engine: labels, axes, positions, and what a person has drawn."""

from __future__ import annotations

from .planting import Fault

_SCENE = "ConvNeXtSeg/ConvNeXtSegLib/scene"
_TESTS = "Testing/slicer"

FAULTS = (
    Fault(
        "two labels swapped in the export",
        "ConvNeXtSeg/convnextseg_engine/labels/check.py",
        "mask[inside] = label.value",
        "mask[inside] = {1: 2, 2: 1}.get(label.value, label.value)",
        (f"{_TESTS}/test_scene_export.py::test_what_goes_in_comes_out",),
    ),
    Fault(
        "labels taken by the order of segments in the export",
        "ConvNeXtSeg/convnextseg_engine/labels/check.py",
        "        label = _label_of(segment, contract)\n",
        "        label = contract.labels[list(segments).index(segment)]\n",
        (f"{_TESTS}/test_scene_export.py::test_the_order_of_segments_does_not_matter",),
    ),
    Fault(
        "axes swapped in the import",
        f"{_SCENE}/volumes.py",
        "slicer.util.arrayFromVolume(node).view()",
        "slicer.util.arrayFromVolume(node).swapaxes(0, 2)",
        (f"{_TESTS}/test_scene_volumes.py",),
    ),
    Fault(
        "axes swapped on the way back into the scene",
        f"{_SCENE}/labelmap.py",
        "np.ascontiguousarray(mask[slices]).ravel()",
        'np.ascontiguousarray(mask[slices]).ravel(order="F")',
        (f"{_TESTS}/test_scene_segmentation.py::test_every_voxel_lies_where_the_mask_says",),
    ),
    Fault(
        "parent transform dropped in the import",
        f"{_SCENE}/volumes.py",
        "matrix_to_world(node) @ _ijk_to_ras(node)",
        "_ijk_to_ras(node)",
        (f"{_TESTS}/test_scene_volumes.py::test_a_voxel_lies_where_the_scene_shows_it",),
    ),
    Fault(
        "parent transform dropped in the result",
        f"{_SCENE}/segmentation.py",
        "    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())\n",
        "",
        (f"{_TESTS}/test_scene_segmentation.py::test_every_voxel_lies_where_the_mask_says",),
    ),
    Fault(
        "RAS taken for LPS",
        "ConvNeXtSeg/convnextseg_engine/images/grid.py",
        "_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])",
        "_RAS_TO_LPS = np.diag([1.0, 1.0, 1.0, 1.0])",
        ("Testing/engine/images/test_grid.py", f"{_TESTS}/test_real_files.py"),
    ),
    Fault(
        "a segmentation that a person has touched is overwritten",
        f"{_SCENE}/segmentation.py",
        ' != model["name"] or is_touched(node)',
        ' != model["name"]',
        (f"{_TESTS}/test_scene_segmentation.py::test_a_result_that_a_person_touched_is_never_written_over",),
    ),
    Fault(
        "a segment that reaches beyond the image is cut without a word",
        f"{_SCENE}/export.py",
        "    if inside != drawn:\n",
        "    if False:\n",
        (f"{_TESTS}/test_scene_export.py::test_a_segment_that_would_be_cut_is_refused_with_how_much",),
    ),
    Fault(
        "a result is put into the next patient's scene",
        f"{_SCENE}/volumes.py",
        "if node is None or node is not self.weak.Get():",
        "if node is None:",
        (f"{_TESTS}/test_scene_volumes.py::test_a_handle_is_not_fooled_by_the_next_patient_with_the_same_node_id",),
    ),
)
