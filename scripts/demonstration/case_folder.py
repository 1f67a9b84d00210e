"""A study of one's own: a folder whose files are named after their sequences, as BraTS names them."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from convnextseg_engine.errors import InputError
from convnextseg_engine.images.files import read_image
from convnextseg_engine.images.grid import Grid

from .demo_study import DemoStudy

# Words in a file's name, in BraTS 2012–2021, BraTS 2023 and everyday use.
_WORDS = {
    "T1c": ("t1ce", "t1c", "t1gd", "t1post"),
    "T1": ("t1", "t1n", "t1w"),
    "T2": ("t2", "t2w"),
    "FLAIR": ("flair", "t2f", "fla"),
}
_SEG_WORDS = ("seg", "mask", "label")
_ENDINGS = re.compile(r"\.(nii|nii\.gz|nrrd|nhdr|mha)$", re.IGNORECASE)


def case_study(folder: Path) -> DemoStudy:
    """Return the study in a folder.

    Raises:
        InputError: There is no such folder, no file or subfolder (a DICOM series) is named after a sequence, or two are
            named after the same one.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", remedy="Check the path.", code="no-folder")
    found: dict[str, Path] = {}
    truth = None
    for path in sorted(folder.iterdir()):
        words = _words(path)
        if words & set(_SEG_WORDS):
            truth = path
            continue
        for channel, names in _WORDS.items():
            if words & set(names):
                if channel in found:
                    raise InputError(
                        f"Both {found[channel].name} and {path.name} look like {channel}.",
                        remedy="Leave one of them in the folder.",
                        code="channel-twice",
                    )
                found[channel] = path
                break
    if not found:
        raise InputError(
            f"No image in {folder} is named after its sequence.",
            remedy="Name the files t1, t1ce, t2 and flair (for example t1ce.nii.gz; leave out what you do not have), "
            "and a mask seg.nii.gz.",
            code="no-channels",
        )
    channels = {name: found[name] for name in _WORDS if name in found}
    if truth is None:
        return DemoStudy(folder.resolve().name, channels)
    return DemoStudy(
        name=folder.resolve().name,
        channels=_reference_first(channels, truth),
        truth=truth,
        truth_values=None if truth.name.lower().endswith(".seg.nrrd") else _values(truth),
        truth_source=f"the expert mask {truth.name}",
    )


def _words(path: Path) -> set[str]:
    """Return the words of an image's name, and every two neighbours as one: T1_Gd says the same as T1Gd."""
    if not (path.is_dir() or _ENDINGS.search(path.name)):
        return set()
    words = re.split(r"[^a-z0-9]+", _ENDINGS.sub("", path.name).lower())
    return {*words, *("".join(pair) for pair in pairwise(words))}


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
