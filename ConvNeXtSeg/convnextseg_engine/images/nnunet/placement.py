"""Where the network's input lies in the reference volume, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from ..grid import Grid
from .preparation import V1, Preparation
from .resampling import Extents, Spacing, resample


@dataclass(frozen=True)
class Placement:
    """What was done to the reference's voxels, in this order: turned, axes transposed, cropped, resampled.

    Attributes:
        preparation: The model's preparation.
        turned: Grid of the reference volume after it was turned to the preparation's orientation.
        box: Voxels kept by the crop, along the network's axes, in the turned and transposed volume.
        old_spacing: Millimetres along the network's axes before resampling.
        new_spacing: After it.
        shape: Extents of the network's input.
    """

    preparation: Preparation
    turned: Grid
    box: tuple[slice, slice, slice]
    old_spacing: Spacing
    new_spacing: Spacing
    shape: Extents

    @property
    def grid(self) -> Grid:
        """Grid of the network's input; its outer edges are those of the box, as nnU-Net's resampling has them."""
        matrix, origin = self.turned.ijk_to_lps[:3, :3], np.array(self.turned.origin)
        start, step = np.zeros(3), np.zeros(3)
        columns = [2 - axis for axis in self.preparation.axes]  # which of I, J, K each network axis is
        for axis, column in enumerate(columns):
            step[column] = (self.box[axis].stop - self.box[axis].start) / self.shape[axis]
            start[column] = self.box[axis].start - 0.5 + 0.5 * step[column]
        order = columns[::-1]  # a grid counts from the last array axis
        return Grid(
            self.shape[::-1],
            tuple(np.linalg.norm(matrix, axis=0)[order] * step[order]),
            tuple(origin + matrix @ start),
            tuple(self.turned.direction_matrix[:, order].ravel()),
        )

    def cropped(self, outputs: np.ndarray) -> np.ndarray:
        """Return network outputs ``(N, D, H, W)`` at the size of the box; their type stays."""
        shape = tuple(part.stop - part.start for part in self.box)
        spacings = (self.new_spacing, self.old_spacing)
        if self.preparation.scheme == V1:  # it looks at the image's own spacing first, both ways
            spacings = spacings[::-1]
        return resample(outputs, shape, *spacings, self.preparation.outputs)

    def into_volume(self, cropped: np.ndarray, target: Grid, outside: float = 0) -> np.ndarray:
        """Return an array of the box ``(D, H, W)`` within the whole reference volume.

        Args:
            cropped: Values at the size of the box, along the network's axes.
            target: Grid of the reference volume.
            outside: Value of voxels that were cropped away.

        Returns:
            Array of shape ``target.shape`` with the type of ``cropped``.
        """
        axes = self.preparation.axes
        volume = np.full([self.turned.shape[axis] for axis in axes], outside, dtype=cropped.dtype)
        volume[self.box] = cropped
        array = np.ascontiguousarray(volume.transpose(np.argsort(axes)))
        if not self.preparation.orientation:
            return array
        code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(target.direction)
        return sitk.GetArrayFromImage(turned(self.turned.image(array), code))


def turned(image: sitk.Image, orientation: str) -> sitk.Image:
    """Return ``image`` with its axes reordered and reversed so that they run as near as can be to ``orientation``.

    Args:
        image: Any 3D image.
        orientation: Three letters: towards which side of the patient I, J and K run, such as ``"RAS"``.
    """
    return sitk.DICOMOrient(image, orientation) if orientation else image
