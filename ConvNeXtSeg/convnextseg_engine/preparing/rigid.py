"""A rigid movement, and how it is folded into an image's geometry instead of into its voxels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk


@dataclass(frozen=True)
class RigidTransform:
    """Where a point of the reference lies in another image: ``x_other = matrix @ x_reference + offset``.

    Attributes:
        matrix: Rotation, nine numbers row by row.
        offset: Millimetres, LPS.
    """

    matrix: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_itk(cls, transform: sitk.Transform) -> RigidTransform:
        """Return the transform of SimpleITK's Euler or versor transform."""
        origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
        columns = [np.array(transform.TransformPoint(tuple(axis))) - origin for axis in np.eye(3)]
        return cls(tuple(np.stack(columns, axis=1).ravel().tolist()), tuple(origin.tolist()))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> RigidTransform:
        """Inverse of :meth:`to_dict`; raises ValueError for anything that is no rotation and shift."""
        matrix, offset = (tuple(float(v) for v in data[name]) for name in ("matrix", "offset"))
        if len(matrix) != 9 or len(offset) != 3 or not np.isfinite([*matrix, *offset]).all():
            raise ValueError("no rigid transform")
        rotation = np.array(matrix).reshape(3, 3)
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6) or np.linalg.det(rotation) < 0:
            raise ValueError("no rotation")
        return cls(matrix, offset)

    def to_dict(self) -> dict[str, list[float]]:
        """Return a JSON-ready dictionary."""
        return {"matrix": list(self.matrix), "offset": list(self.offset)}

    def to_itk(self) -> sitk.Euler3DTransform:
        """Return SimpleITK's transform of the same points."""
        result = sitk.Euler3DTransform()
        result.SetMatrix(self.matrix, 1e-6)
        result.SetTranslation(self.offset)
        return result

    @property
    def rotation(self) -> np.ndarray:
        """Rotation as a 3×3 array."""
        return np.array(self.matrix).reshape(3, 3)

    @property
    def angle_deg(self) -> float:
        """Angle of the rotation in degrees, 0 to 180."""
        # atan2 rather than arccos, which cannot tell angles below 1e-6 rad from 0.
        r = self.rotation
        axis = np.array([r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]])
        return math.degrees(math.atan2(float(np.linalg.norm(axis)), float(np.trace(r)) - 1.0))

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Return where reference points, shape ``(N, 3)`` in LPS mm, lie in the other image."""
        return np.asarray(points) @ self.rotation.T + np.array(self.offset)

    def inverse(self) -> RigidTransform:
        """Return the movement back."""
        back = self.rotation.T
        return RigidTransform(tuple(back.ravel().tolist()), tuple((-back @ np.array(self.offset)).tolist()))

    def displacement_mm(self, points: np.ndarray) -> float:
        """Return by how much points of shape ``(N, 3)`` move on average."""
        return float(np.linalg.norm(self.apply(points) - points, axis=1).mean())

    def shift_mm(self, points: np.ndarray) -> float:
        """Return by how much the middle of points of shape ``(N, 3)`` moves."""
        return self.displacement_mm(points.mean(axis=0, keepdims=True))

    def brought_back(self, image: sitk.Image) -> sitk.Image:
        """Return the other image where it belongs in the reference's space: same voxels, another origin and direction.

        Nothing is interpolated here, so that the one resampling of :func:`images.prepare.prepare` stays the only one.
        """
        back = self.inverse()
        moved = sitk.Image(image)
        direction = back.rotation @ np.array(image.GetDirection()).reshape(3, 3)
        # Rounded products of rotations drift from orthonormal by 1e-16 a step; ITK wants 1e-6, formats 1e-4.
        moved.SetDirection(direction.ravel().tolist())
        moved.SetOrigin(back.apply(np.array([image.GetOrigin()]))[0].tolist())
        return moved
