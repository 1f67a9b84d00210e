"""A head around a synthetic brain, because the shared images have no skull left."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.images.study import Study
from convnextseg_engine.preparing.rigid import RigidTransform
from convnextseg_engine.synthetic.brain import synthetic_case

SPACING_MM = 3.0


def brain_study(seed: int = 3) -> Study:
    """Return a small synthetic study without skull, 3 mm voxels."""
    study = synthetic_case(seed, size=(52, 62, 52), spacing=(SPACING_MM,) * 3).study
    return Study(study.channels, "T1c")


def with_skull(study: Study, *, noise: bool) -> tuple[Study, sitk.Image]:
    """Return the study with a scalp around the brain down to the lowest slice, and the mask of the brain.

    Args:
        study: Without skull.
        noise: Whether the air holds noise; otherwise it is exactly 0.
    """
    chance = np.random.default_rng(1)
    filled = np.any([sitk.GetArrayViewFromImage(image) != 0 for image in study.channels.values()], axis=0)
    reference = study.channels[study.reference]
    mask = sitk.GetImageFromArray(filled.astype(np.uint8))
    mask.CopyInformation(reference)
    scalp = sitk.GetArrayFromImage(sitk.BinaryDilate(mask, [4, 4, 4])) != 0
    scalp[: scalp.shape[0] // 2] |= scalp[scalp.shape[0] // 2]  # the neck goes on below the image
    scalp &= ~sitk.GetArrayFromImage(sitk.BinaryDilate(mask, [1, 1, 1])).astype(bool)
    channels = {}
    for name, image in study.channels.items():
        array = sitk.GetArrayFromImage(image).astype(np.float32)
        level = float(np.percentile(array[filled], 80))
        array[scalp] = level * (1 + 0.1 * chance.normal(size=int(scalp.sum())))
        if noise:
            array = np.abs(array + 0.01 * level * chance.normal(size=array.shape).astype(np.float32))
        channels[name] = sitk.GetImageFromArray(array)
        channels[name].CopyInformation(image)
    return Study(channels, study.reference), mask


def motion(shift_mm: tuple[float, float, float], axis: tuple[float, float, float], angle_deg: float) -> RigidTransform:
    """Return a movement around the origin of space's middle of the synthetic brain."""
    turn = sitk.VersorRigid3DTransform()
    turn.SetRotation(axis, float(np.deg2rad(angle_deg)))
    turn.SetTranslation(shift_mm)
    return RigidTransform.from_itk(turn)


def moved(study: Study, name: str, movement: RigidTransform) -> Study:
    """Return the study with one channel moved away in the patient."""
    channels = dict(study.channels)
    channels[name] = movement.inverse().brought_back(channels[name])
    return Study(channels, study.reference)
