"""The images in a folder of a study, with what their names and headers say."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import InputError
from ..dicom import is_dicom_file, list_series
from ..files import quiet_itk
from .description import Description
from .headers import fields_of_dicom, fields_of_sidecar

_IMAGES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
# Files that are no DICOM files, so that a folder of them is not searched for series.
_OTHERS = (
    ".json", ".csv", ".tsv", ".txt", ".md", ".bval", ".bvec", ".xml", ".pdf", ".png", ".jpg", ".jpeg", ".zip", ".raw",
    ".zraw", ".gz", ".yaml", ".yml", ".log", ".html", ".mrml", ".h5", ".tfm", ".py", ".sha256",
)  # fmt: skip


def find_images(paths: Iterable[str | Path]) -> dict[str, Description]:
    """Return every image file and DICOM series in the given files and folders, folders within them included.

    Args:
        paths: Image files, folders of one study, or both. A folder's hidden files are passed over.

    Returns:
        What ``read_image`` takes (a path, or ``FOLDER#UID`` where a folder has several series) to what is known.

    Raises:
        InputError: If a path does not exist or there is no image.
    """
    given = [Path(path) for path in paths]
    found: dict[str, Description] = {}
    for path in given:
        if path.is_dir():
            for folder, inside, files in os.walk(path):
                inside[:] = sorted(name for name in inside if not name.startswith("."))
                found |= _in_folder(Path(folder), sorted(name for name in files if not name.startswith(".")), path)
        elif path.is_file():
            found[str(path)] = _of_file(path, folder="")
        else:
            raise InputError(f"There is no file or folder {path}.", remedy="Check the path.", code="no-such-file")
    if not found:
        raise InputError(
            f"There is no image in {', '.join(str(path) for path in given)}.",
            reason=f"Looked for DICOM series and for files that end in {', '.join(_IMAGES)}.",
            remedy="Give the folder of the study, or its files.",
            code="no-image",
        )
    return found


def _in_folder(folder: Path, names: list[str], top: Path) -> dict[str, Description]:
    above = folder.name if folder != top else ""
    images = [name for name in names if name.lower().endswith(_IMAGES)]
    found = {str(folder / name): _of_file(folder / name, above) for name in images}
    if any(name not in images and not name.lower().endswith(_OTHERS) for name in names):
        found |= _series_in(folder, above)
    return found


def _of_file(path: Path, folder: str) -> Description:
    with quiet_itk():
        if not path.name.lower().endswith(_IMAGES) and is_dicom_file(path):
            return Description(path.name, folder, fields_of_dicom(path))
    stem = path.name[: -len(".nii.gz")] if path.name.lower().endswith(".nii.gz") else path.stem
    return Description(path.name, folder, fields_of_sidecar(path.with_name(f"{stem}.json")))


def _series_in(folder: Path, above: str) -> dict[str, Description]:
    with quiet_itk():
        series = list_series(folder)
        found = {}
        for one in series:
            fields = fields_of_dicom(one.files[0])
            name = fields.get("SeriesDescription", "") or above
            found[f"{folder}#{one.uid}" if len(series) > 1 else str(folder)] = Description(name, above, fields)
    return found
