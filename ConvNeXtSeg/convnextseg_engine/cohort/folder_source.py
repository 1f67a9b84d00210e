"""A cohort as it lies on a disk: a folder with one folder a case, or a tree of DICOM files.

What belongs together: everything below one folder of the cohort's folder is one case, unless its DICOM series are of
several studies, which then are a case each. Of files that lie directly in the cohort's folder, those whose names agree
but for their last part (``P1_t1.nii.gz``, ``P1_flair.nii.gz``) are one case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import SimpleITK as sitk

from ..errors import InputError
from ..images.files import quiet_itk
from ..images.sequences.assign import assign
from ..images.sequences.description import Description
from ..images.sequences.study_folder import find_images
from .case import CohortCase, file_of, safe_id
from .mask_pattern import MaskPattern

_STUDY_UID, _STUDY_DATE, _STUDY_TIME = "0020|000d", "0008|0020", "0008|0030"
_LAST_PART = re.compile(r"[-_. ]+[^-_. ]+$")
_EXTENSION = re.compile(r"(\.nii\.gz|\.[^.]+)$", re.IGNORECASE)


def cases_of_folder(
    source: Path, channels: Sequence[str], reference: str | None = None, masks: MaskPattern | None = None
) -> list[CohortCase]:
    """Return the cases of a folder; which image is which channel is recognised by names and DICOM fields.

    Args:
        source: The cohort's folder.
        channels: Channel names of the model.
        reference: Channel on whose grid results lie; by default the first of the model's that a case has.
        masks: Where each case's brain mask lies; a file that lies there is no channel.

    Returns:
        In the order of their names. A case whose images are ambiguous or not recognised has a problem that says so.

    Raises:
        InputError: If there is no image.
    """
    found = find_images([source])
    groups: dict[str, dict[str, Description]] = {}
    for key, description in found.items():
        if masks is not None and masks.fits(str(Path(key).absolute())):
            continue
        groups.setdefault(_group(source, key), {})[key] = description
    cases: list[CohortCase] = []
    for name, images in sorted(groups.items(), key=lambda group: (safe_id(group[0]), group[0])):
        studies = _studies(images)
        for number, study in enumerate(studies, start=1):
            visit = f"-{number}" if len(studies) > 1 else ""
            case = _case(safe_id(name) + visit, study, channels, reference)
            cases.append(case if masks is None else masks.given_to(case, name + visit))
    return cases


def _group(source: Path, key: str) -> str:
    """Name of the case that an image belongs to, by where it lies, as the disk has it."""
    inside = file_of(key).relative_to(source)
    if len(inside.parts) > 1 or file_of(key).is_dir():
        return inside.parts[0] if inside.parts else source.name
    stem = _EXTENSION.sub("", inside.name)
    return _LAST_PART.sub("", stem)


def _studies(images: Mapping[str, Description]) -> list[dict[str, Description]]:
    """The images of one folder, divided by DICOM study, the earliest first; other files stay together."""
    by_study: dict[str, dict[str, Description]] = {}
    made: dict[str, str] = {}
    for key, description in images.items():
        uid, when = _study(key)
        by_study.setdefault(uid, {})[key] = description
        made[uid] = min(when, made.get(uid, when))
    return [by_study[uid] for uid in sorted(by_study, key=lambda uid: (made[uid], uid))]


def _study(key: str) -> tuple[str, str]:
    """UID of a DICOM study and when it was made, both empty for other images; only compared, never kept."""
    place = file_of(key)
    if not place.is_dir():
        return "", ""
    uid = key.rpartition("#")[2] if str(place) != key else ""
    with quiet_itk():
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(place), uid)
        reader = sitk.ImageFileReader()
        reader.SetFileName(files[0])
        reader.ReadImageInformation()
    uid, when = (
        "".join(reader.GetMetaData(tag).strip() for tag in tags if reader.HasMetaDataKey(tag))
        for tags in ((_STUDY_UID,), (_STUDY_DATE, _STUDY_TIME))
    )
    return uid, when


def _case(name: str, images: Mapping[str, Description], channels: Sequence[str], reference: str | None) -> CohortCase:
    assignment = assign(images, channels)
    notes = tuple(f"{channel}: {reason}" for channel, reason in assignment.reasons.items())
    chosen = {channel: assignment.chosen[channel] for channel in channels if channel in assignment.chosen}
    try:
        assignment.settled()
    except InputError as error:
        problem = f"{error.message} {error.reason} Write a CSV table that names its files."
        return CohortCase(name, chosen, problem=problem, notes=notes)
    if not chosen:
        problem = f"None of its {len(images)} images is recognised as one of {', '.join(channels)}."
        return CohortCase(name, problem=f"{problem} Write a CSV table that names its files.", notes=notes)
    if reference is not None and reference not in chosen:
        return CohortCase(name, chosen, problem=f"It has no {reference}, which was chosen as reference.", notes=notes)
    return CohortCase(name, chosen, reference or next(iter(chosen)), notes=notes)
