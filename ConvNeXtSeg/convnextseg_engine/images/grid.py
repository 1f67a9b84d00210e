"""The grid of an image: where its voxels lie in the patient.

Engine code works in LPS millimetres, as SimpleITK and DICOM do; MRML works in RAS. This file is the one
place where the two are converted. Arrays have the axes ``(D, H, W)`` = ``(K, J, I)``, as
``SimpleITK.GetArrayFromImage`` and ``slicer.util.arrayFromVolume`` give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError

# Slicer and SimpleITK compute the same geometry along different paths and differ in the last bits. Rounding
# to 1e-8 mm (10,000 times finer than the 1e-4 mm we promise) makes both name the same grid, so that panel and
# command line give the same mask, voxel for voxel.
_DECIMALS = 8
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _rounded(values: Any) -> tuple[float, ...]:
    return tuple(float(v) + 0.0 for v in np.round(np.asarray(values, dtype=np.float64).ravel(), _DECIMALS))


@dataclass(frozen=True)
class Grid:
    """Size, spacing, origin and direction of a 3D image.

    Attributes:
        size: Voxels along I, J, K.
        spacing: Millimetres along I, J, K.
        origin: LPS position of the centre of voxel (0, 0, 0), in mm.
        direction: Nine numbers, row by row; column *n* is the unit vector in which axis *n* increases (LPS).
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        for name in ("spacing", "origin", "direction"):
            object.__setattr__(self, name, _rounded(getattr(self, name)))
        if len(self.size) != 3 or len(self.spacing) != 3 or len(self.origin) != 3 or len(self.direction) != 9:
            raise InputError(
                f"An image with {len(self.size)} dimensions cannot be used here.",
                reason="ConvNeXtSeg works on three-dimensional volumes.",
                remedy="Choose a single 3D volume; extract one time point or one channel from a 4D image first.",
                code="not-3d",
            )
        numbers = np.array([*self.spacing, *self.origin, *self.direction])
        if min(self.size) < 1 or min(self.spacing) <= 0 or not np.all(np.isfinite(numbers)):
            raise InputError(
                "The image has no usable geometry.",
                reason=f"Its size is {self.size} voxels and its spacing {self.spacing} mm.",
                remedy="Check the image in Slicer's Volumes module, or export it again from its source.",
                code="bad-geometry",
            )
        if abs(np.linalg.det(self.direction_matrix)) < 1e-6:
            raise InputError(
                "The image axes do not span a volume.",
                reason="Its direction matrix is singular.",
                remedy="Export the image again from its source.",
                code="bad-geometry",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Array shape ``(D, H, W)``."""
        return self.size[2], self.size[1], self.size[0]

    @property
    def direction_matrix(self) -> np.ndarray:
        """Direction as a 3×3 array."""
        return np.array(self.direction, dtype=np.float64).reshape(3, 3)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.ijk_to_lps[:3, :3]))) / 1000.0

    @property
    def ijk_to_lps(self) -> np.ndarray:
        """4×4 matrix from voxel indices (I, J, K) to LPS millimetres."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction_matrix * np.array(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """4×4 matrix from voxel indices (I, J, K) to RAS millimetres, as MRML uses it."""
        return _RAS_TO_LPS @ self.ijk_to_lps

    @classmethod
    def from_image(cls, image: sitk.Image) -> Grid:
        """Return the grid of a SimpleITK image; raises :class:`InputError` unless it is 3D."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @classmethod
    def from_ijk_to_ras(cls, matrix: np.ndarray, size: tuple[int, int, int]) -> Grid:
        """Return the grid of an MRML volume from its 4×4 IJK-to-RAS matrix and its size along I, J, K."""
        lps = _RAS_TO_LPS @ np.asarray(matrix, dtype=np.float64)
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        if np.any(spacing <= 0):
            raise InputError(
                "The volume has no usable geometry.", reason="One voxel axis has zero length.",
                remedy="Check the volume in Slicer's Volumes module, or load it again.", code="bad-geometry",
            )  # fmt: skip
        return cls(size, tuple(spacing), tuple(lps[:3, 3]), tuple((lps[:3, :3] / spacing).ravel()))

    def to_dict(self) -> dict[str, list]:
        """Return a JSON-ready dictionary."""
        return {
            "size": list(self.size),
            "spacing": list(self.spacing),
            "origin": list(self.origin),
            "direction": list(self.direction),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Grid:
        """Inverse of :meth:`to_dict`."""
        return cls(tuple(data["size"]), tuple(data["spacing"]), tuple(data["origin"]), tuple(data["direction"]))

    def image(self, array: np.ndarray) -> sitk.Image:
        """Return ``array`` of shape ``(D, H, W)`` as a SimpleITK image on this grid."""
        if array.shape != self.shape:
            raise ValueError(f"array of shape {array.shape} does not fit a grid of shape {self.shape}")
        image = sitk.GetImageFromArray(np.ascontiguousarray(array))
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    def same_as(self, other: Grid, tolerance_mm: float = 1e-4) -> bool:
        """Say whether all eight corners of both grids lie within ``tolerance_mm`` and the sizes are equal."""
        if self.size != other.size:
            return False
        return bool(np.max(np.abs(self.corners() - other.corners())) <= tolerance_mm)

    def corners(self) -> np.ndarray:
        """LPS positions of the centres of the eight corner voxels, shape ``(8, 3)``."""
        last = np.array(self.size, dtype=np.float64) - 1
        index = np.array([[i, j, k] for k in (0, last[2]) for j in (0, last[1]) for i in (0, last[0])])
        return index @ self.ijk_to_lps[:3, :3].T + self.ijk_to_lps[:3, 3]

    def outer_box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest LPS coordinates of the volume, voxel edges included (not only centres), in mm."""
        last = np.array(self.size) - 0.5
        index = np.array([[i, j, k] for k in (-0.5, last[2]) for j in (-0.5, last[1]) for i in (-0.5, last[0])])
        points = index @ self.ijk_to_lps[:3, :3].T + self.ijk_to_lps[:3, 3]
        return points.min(axis=0), points.max(axis=0)
