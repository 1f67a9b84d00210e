"""A DICOM series as one volume, or a sentence that says why it is not one.

Slices are put in order by their positions in the patient (GDCM), and their geometry is checked here, because ITK would
silently stretch a series with a missing slice over the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError

_MODALITY, _DESCRIPTION, _NUMBER = "0008|0060", "0008|103e", "0020|0011"
_POSITION, _ORIENTATION, _PIXEL_SPACING = "0020|0032", "0020|0037", "0028|0030"
_FRAMES, _SLOPE, _INTERCEPT = "0028|0008", "0028|1053", "0028|1052"
_NOT_IMAGES = {"SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "REG", "PR", "SR", "KO"}
# Positions are written with as few as two decimals; a missing slice is off by a whole spacing.
_SPACING_TOLERANCE = 0.02
_DIRECTION_TOLERANCE = 1e-4
_REPAIR = (
    "Check that all files are there; otherwise load it through Slicer's DICOM module, which can repair it, and save "
    "the volume as NRRD."
)


@dataclass(frozen=True)
class Series:
    """One image series of a folder; ``files`` are in the order of their positions."""

    uid: str
    number: str
    description: str
    files: tuple[str, ...]


def list_series(folder: Path) -> list[Series]:
    """Return the image series whose files lie directly in ``folder``, by series number and description."""
    found = []
    for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        header = _header(files[0])
        if _tag(header, _MODALITY) not in _NOT_IMAGES:
            found.append(Series(uid, _tag(header, _NUMBER), _tag(header, _DESCRIPTION), tuple(files)))
    return sorted(found, key=lambda s: (int(s.number) if s.number.lstrip("-").isdigit() else 0, s.description, s.uid))


def read_dicom_series(folder: Path, uid: str = "") -> sitk.Image:
    """Read one series of a folder as a 3D image.

    Args:
        folder: Holds the files directly.
        uid: Series instance UID, or empty if the folder has only one image series.

    Raises:
        InputError: If there is no series, several without a choice, or the slices do not form an evenly spaced stack.
    """
    series = _choose(folder, list_series(folder), uid)
    headers = [_header(file) for file in series.files]
    name = f"“{series.description or 'without description'}” in {folder.name}"
    _check_stack(name, headers)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(series.files)
    # Slices go where their positions say, as Slicer has it. ITK would take the slices' normal instead, which is 8e-4 mm
    # off over 57 mm in a series whose positions are rounded.
    reader.ForceOrthogonalDirectionOff()
    if len({(_tag(h, _SLOPE), _tag(h, _INTERCEPT)) for h in headers}) > 1:
        # Rescaled slice by slice, as PET is: the first slice's integer type would not hold the others' values.
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise _not_a_volume(name, f"ITK says: {str(error).strip().splitlines()[-1].strip()}", "unreadable") from error


def is_dicom_file(path: Path) -> bool:
    """Say whether ITK reads this file as DICOM."""
    return sitk.ImageFileReader.GetImageIOFromFileName(str(path)) == "GDCMImageIO"


def _choose(folder: Path, series: list[Series], uid: str) -> Series:
    if not series:
        inside = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
        raise InputError(
            f"There is no DICOM image series in {folder}.",
            reason=f"It has the folders {', '.join(inside[:10])}; files are not searched for in them."
            if inside
            else "None of its files is a DICOM image.",
            remedy="Give the folder that holds the slices, or an image file.",
            code="no-series",
        )
    matching = [s for s in series if s.uid == uid] if uid else series
    if len(matching) == 1:
        return matching[0]
    listed = "; ".join(
        f"“{s.description or 'without description'}” ({len(s.files)} slices): {folder}#{s.uid}" for s in series
    )
    raise InputError(
        f"{folder.name} has no series {uid}." if uid else f"{folder.name} holds {len(series)} DICOM series.",
        reason="One volume is read at a time.",
        remedy=f"Give one of: {listed}.",
        code="several-series",
    )


def _check_stack(name: str, headers: list[sitk.ImageFileReader]) -> None:
    """Refuse slices that are not one evenly spaced, unsheared stack."""
    if any(int(_tag(h, _FRAMES) or 1) > 1 for h in headers):
        # ITK reads such files, but does not say where each of their frames lies.
        reason = "Its slices lie in one multi-frame file (“enhanced” DICOM), whose positions cannot be checked here."
        remedy = (
            "Load it through Slicer's DICOM module, which reads such files, and save the volume as NRRD or NIfTI; or "
            "let the scanner or archive send it as one file per slice."
        )
        raise _not_a_volume(name, reason, "multi-frame", remedy)
    if not all(_tag(h, _POSITION) and _tag(h, _ORIENTATION) and _tag(h, _PIXEL_SPACING) for h in headers):
        raise _not_a_volume(name, "Some of its slices do not say where in the patient they lie.", "no-position")
    if len(headers) < 2:
        raise _not_a_volume(name, "It has one slice only, so its thickness is unknown.", "one-slice")
    orientations = np.array([_numbers(h, _ORIENTATION) for h in headers])
    spacings = np.array([_numbers(h, _PIXEL_SPACING) for h in headers])
    if len({h.GetSize()[:2] for h in headers}) > 1 or np.ptp(spacings, axis=0).max() > _DIRECTION_TOLERANCE:
        raise _not_a_volume(name, "Its slices differ in size or pixel spacing.", "uneven-slices")
    if np.ptp(orientations, axis=0).max() > _DIRECTION_TOLERANCE:
        raise _not_a_volume(name, "Its slices are tilted against each other, as in a scout or a radial scan.", "tilted")
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    positions = np.array([_numbers(h, _POSITION) for h in headers])
    along = positions @ normal
    positions, along = positions[np.argsort(along)], np.sort(along)
    gaps = np.diff(along)
    step = float(np.median(gaps))
    if gaps.min() < _SPACING_TOLERANCE * max(step, 1e-3):
        reason = (
            "Several of its slices lie at the same place: it holds several volumes (time points, echoes, b-values)."
        )
        raise _not_a_volume(name, reason, "several-volumes")
    if np.abs(gaps - step).max() > _SPACING_TOLERANCE * step:
        reason = f"Slices are missing or unevenly spaced: most lie {step:.2f} mm apart, but some {gaps.max():.2f} mm."
        raise _not_a_volume(name, reason, "missing-slices")
    drift = positions - positions[0] - np.outer(along - along[0], normal)
    if np.linalg.norm(drift, axis=1).max() > _SPACING_TOLERANCE * step:
        raise _not_a_volume(name, "Its slices are shifted sideways against each other (gantry tilt).", "sheared")


def _not_a_volume(name: str, reason: str, code: str, remedy: str = _REPAIR) -> InputError:
    return InputError(f"The DICOM series {name} cannot be read as one volume.", reason=reason, remedy=remedy, code=code)


def _header(file: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(file)
    reader.SetImageIO("GDCMImageIO")
    reader.ReadImageInformation()
    return reader


def _tag(header: sitk.ImageFileReader, key: str) -> str:
    return header.GetMetaData(key).strip() if header.HasMetaDataKey(key) else ""


def _numbers(header: sitk.ImageFileReader, key: str) -> list[float]:
    return [float(part) for part in _tag(header, key).split("\\")]
