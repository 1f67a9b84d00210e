"""From a label file on disk to a mask on the grid of the image that it belongs to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..images.files import read_image
from ..images.grid import Grid
from .check import SegmentInfo, compose_mask
from .contract import LabelContract
from .seg_nrrd import read_seg_nrrd

_TOLERANCE_MM = 1e-4
# NIfTI keeps positions in single precision and axes at right angles: a grid comes back up to 2e-3 mm off (measured on a
# DICOM series whose positions are rounded). Its voxels are still told apart with certainty at a hundredth of a voxel.
_NIFTI_TOLERANCE_VOXELS = 0.01


def read_label(
    path: Path, contract: LabelContract, reference: Grid, values: dict[str, int] | None = None
) -> np.ndarray:
    """Return the mask that a label file holds.

    Args:
        path: ``.seg.nrrd`` as Slicer saves it, or a label map of integers in any image format.
        contract: The label contract.
        reference: Grid of the image that the labels belong to. A file that Slicer has cropped or
            turned round is put into its place, voxel by voxel.
        values: What the integers of a plain label map mean: label name to integer. Never guessed, because other tools
            number the same labels differently.

    Returns:
        uint8 mask ``(D, H, W)`` on ``reference`` with the contract's values.

    Raises:
        InputError: If the file cannot be read, its labels cannot be told, or it lies on another grid.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file {path}.", remedy="Check the path.", code="no-such-file")
    if path.name.lower().endswith((".seg.nrrd", ".seg.nhdr")) and values is None:
        segments = read_seg_nrrd(path).segments
    else:
        segments = _from_integers(path, contract, values, reference)
    return compose_mask([_on(reference, segment) for segment in segments], contract, reference)


def _from_integers(
    path: Path, contract: LabelContract, values: dict[str, int] | None, reference: Grid
) -> list[SegmentInfo]:
    if values is None:
        example = ",".join(f"{label.name}={label.value}" for label in contract.labels)
        raise InputError(
            f"{path.name} holds integers, and nothing says what they mean.",
            reason="Other tools number the same labels differently, so it is not guessed.",
            remedy=f"Say it, for example --label-values {example}, with the integers of your file.",
            code="no-label-values",
        )
    for name in values:
        contract.label(name)
    left_out = [label.name for label in contract.labels if label.name not in values]
    if left_out:
        raise InputError(
            f"Nothing says which integer of {path.name} is “{left_out[0]}”.",
            reason="Every label of the model needs one, because “none here” and “forgotten” look the same.",
            remedy=f"Add {left_out[0]}=N to --label-values; if the patient has none of it, let N be a number that the "
            "file does not use.",
            code="missing-label",
        )
    if len(set(values.values())) != len(values) or 0 in values.values():
        raise InputError(
            "Two labels have the same integer, or one has 0.", reason="0 is the background.",
            remedy="Give each label an integer of its own.", code="bad-label-values",
        )  # fmt: skip
    image = read_image(path)
    array = sitk.GetArrayFromImage(image)
    present = np.unique(array)
    unknown = [value for value in present.tolist() if value not in (0, *values.values())]
    if unknown:
        raise InputError(
            f"{path.name} holds the value {unknown[0]:g}, which no label has.",
            reason=f"Given were {', '.join(f'{name} = {value}' for name, value in values.items())}.",
            remedy="Add it to --label-values if it is a label, or check that this is a label map and not an image.",
            code="unknown-value",
        )
    grid = Grid.from_image(image)
    if path.name.lower().endswith((".nii", ".nii.gz")) and grid.same_as(
        reference, max(_TOLERANCE_MM, _NIFTI_TOLERANCE_VOXELS * min(reference.spacing))
    ):
        grid = reference
    if not grid.same_as(reference) and _index_steps(grid, reference) is None:
        # Said here, because a map without a label, of whichever patient, would otherwise fit everywhere.
        raise InputError(
            f"{path.name} does not lie on the grid of the image.",
            reason=f"It has {_size(grid)} voxels, the image {_size(reference)}."
            if grid.size != reference.size
            else "Its voxels lie elsewhere or between those of the image.",
            remedy="Give the image that was segmented, and name it as the reference.",
            code="off-grid",
        )
    return [SegmentInfo(name, None, array == value, grid=grid) for name, value in values.items()]


def _on(reference: Grid, segment: SegmentInfo) -> SegmentInfo:
    """Return the segment on ``reference``, if its voxels are voxels of that grid; empty ones lie on every grid."""
    grid = segment.grid
    if grid is None or grid.same_as(reference):
        return segment
    whole = np.zeros(reference.shape, dtype=bool)
    hits = np.argwhere(segment.array)[:, ::-1]
    if not len(hits):
        return replace(segment, array=whole, grid=reference)
    steps = _index_steps(grid, reference)
    if steps is None:
        return segment  # compose_mask refuses it by name
    indices = hits @ steps[:3, :3].T + steps[:3, 3]
    if indices.min() < 0 or np.any(indices.max(axis=0) >= reference.size):
        raise InputError(
            f"The segment “{segment.name}” reaches beyond the image.",
            reason="It has voxels where the image has none.",
            remedy="Choose the volume that was segmented as the reference, or remove what lies outside it.",
            code="off-grid",
        )
    i, j, k = indices.T
    whole[k, j, i] = True
    return replace(segment, array=whole, grid=reference)


def _index_steps(grid: Grid, reference: Grid) -> np.ndarray | None:
    """Return the whole-number 4×4 matrix from indices (I, J, K) of ``grid`` to those of ``reference``.

    Slicer crops what it saves, and turns left-handed volumes round when it loads them: the voxels are the same ones,
    counted from another corner or along another axis. None if the voxels are others, by more than 1e-4 mm.
    """
    exact = np.linalg.inv(reference.ijk_to_lps) @ grid.ijk_to_lps
    whole = np.rint(exact)
    axes = np.abs(whole[:3, :3])
    if not (np.all(axes.sum(axis=0) == 1) and np.all(axes.sum(axis=1) == 1)):
        return None
    last = np.array(grid.size) - 1
    corners = np.array([[i, j, k, 1] for k in (0, last[2]) for j in (0, last[1]) for i in (0, last[0])])
    error = (corners @ (exact - whole).T) @ reference.ijk_to_lps.T
    return whole.astype(int) if np.abs(error).max() <= _TOLERANCE_MM else None


def _size(grid: Grid) -> str:
    return " × ".join(str(n) for n in grid.size)
