"""One form of an image, whichever program read it, so that panel and command line compute with the same numbers.

Slicer reverses the slices of a left-handed image when it loads it, and two readers differ in the last digits of a grid.
Neither moves anything in the patient, but interpolating from slightly different numbers can tip a voxel whose
probability lies at the threshold.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .grid import Grid


def canonical(image: sitk.Image) -> sitk.Image:
    """Return ``image`` on :func:`canonical_grid`: every voxel where it was, in the order in which Slicer has it."""
    array = sitk.GetArrayViewFromImage(image)
    return canonical_grid(image).image(array[::-1] if is_left_handed(image) else array)


def canonical_grid(image: sitk.Image) -> Grid:
    """Return the right-handed grid of an image; a left-handed one has its slices in reverse order."""
    if not is_left_handed(image):
        return Grid.from_image(image)
    # From the image rather than from its Grid, whose rounded numbers would be multiplied by the number of slices.
    direction = np.array(image.GetDirection()).reshape(3, 3)
    origin = np.array(image.GetOrigin()) + direction[:, 2] * image.GetSpacing()[2] * (image.GetSize()[2] - 1)
    turned = direction * np.array([1, 1, -1])
    return Grid(image.GetSize(), image.GetSpacing(), tuple(origin), tuple(turned.ravel()))


def is_left_handed(image: sitk.Image) -> bool:
    """Say whether the image's axes I, J, K form a left-handed system."""
    return bool(np.linalg.det(np.array(image.GetDirection()).reshape(3, 3)) < 0)
