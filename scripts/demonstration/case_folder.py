"""A study of one's own: a folder of images or DICOM series whose names say their sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid
from convnextseg_engine.images.sequences.assign import assign
from convnextseg_engine.images.sequences.reading import read_name
from convnextseg_engine.images.sequences.study_folder import find_images

from .demo_study import DemoStudy

_CHANNELS = ("T1c", "T1", "T2", "FLAIR")


def case_study(folder: Path) -> DemoStudy:
    """Return the study in a folder.

    Raises:
        InputError: There is no such folder, no image in it is recognised, or two are of the same sequence.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", remedy="Check the path.", code="no-folder")
    images = find_images([folder])
    assignment = assign(images, _CHANNELS)
    masks = [key for key in images if "label" in read_name(Path(key).name).no_channel]
    truth = Path(masks[0]) if masks else None
    for question in assignment.questions:
        # What is not recognised at all is left out; two of one kind must not be chosen from.
        if all(assignment.recognised[key].kind for key in question.candidates):
            raise InputError(
                "Two images look the same.", reason=question.reason, remedy="Leave one of them in the folder.",
                code="channel-twice",
            )  # fmt: skip
    if not assignment.chosen:
        raise InputError(
            f"No image in {folder} is named after its sequence.",
            remedy="Name the files t1, t1ce, t2 and flair (for example t1ce.nii.gz; leave out what you do not have), "
            "and a mask seg.nii.gz.",
            code="no-channels",
        )
    channels = {name: Path(assignment.chosen[name]) for name in _CHANNELS if name in assignment.chosen}
    if truth is None:
        return DemoStudy(folder.resolve().name, channels)
    return DemoStudy(
        name=folder.resolve().name,
        channels=_reference_first(channels, truth),
        truth=truth,
        truth_values=None if truth.name.lower().endswith(".seg.nrrd") else _values(truth),
        truth_source=f"the expert mask {truth.name}",
    )


def _reference_first(channels: dict[str, Path], truth: Path) -> dict[str, Path]:
    """Put the channel first on whose grid the truth lies: in a clinical study each has its own."""
    grid = Grid.from_image(read_image(truth))
    for name, path in channels.items():
        if Grid.from_image(read_image(path)).same_as(grid):
            return {name: path} | channels
    return channels


def _values(truth: Path) -> dict[str, int]:
    """Return what the integers mean: enhancing tumour is 4 in BraTS until 2021, and 3 since."""
    present = np.unique(sitk.GetArrayFromImage(read_image(truth)))
    return {"core": 1, "edema": 2, "enhancing": 3 if 3 in present and 4 not in present else 4}
