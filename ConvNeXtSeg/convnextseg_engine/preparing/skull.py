"""Has the skull been removed from an image already?"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

# An image without skull is exactly 0 around the brain. Measured (docs/prepare.md): BraTS 2021, the oblique study and
# the MS cases are 0 in 79–86 % of their voxels, the sarcoma MR in at most 1 %; a brain in a box that just holds it
# leaves about 45 %.
_LEAST_BACKGROUND = 0.3
# Adult brains have 1.1 to 1.75 L there; a whole head has 3.5 L and more, even if the air around it is set to 0.
_LARGEST_BRAIN_ML = 2200.0
# A head goes on below the image, and fills a large part of the face where it is cut; brains filled at most 4 %.
_MOST_ON_A_FACE = 0.15


def is_skull_stripped(image: sitk.Image) -> bool:
    """Say whether everything but the brain is 0 in this image, as brain extraction leaves it."""
    inside = np.nan_to_num(sitk.GetArrayViewFromImage(image)) != 0
    filled = float(inside.mean())
    if not 0.0 < filled <= 1.0 - _LEAST_BACKGROUND:
        return False
    volume_ml = filled * image.GetNumberOfPixels() * float(np.prod(image.GetSpacing())) / 1000.0
    faces = (inside[0], inside[-1], inside[:, 0], inside[:, -1], inside[:, :, 0], inside[:, :, -1])
    return volume_ml <= _LARGEST_BRAIN_ML and max(float(face.mean()) for face in faces) <= _MOST_ON_A_FACE
