"""Reading and writing images."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from ..durable import replacing
from ..errors import DISK_FULL, InputError, describe
from .dicom import is_dicom_file, read_dicom_series
from .grid import Grid
from .nifti import check_nifti_complete

# One file each: a format that splits header and voxels over two files cannot be renamed into place as a whole.
_NIFTI = (".nii.gz", ".nii")
_WRITABLE = (".nrrd", *_NIFTI, ".mha")
_COLOURS = (3, 4)  # red, green, blue, and transparency
# ITK does not say that a disk is full; a writer that fails with fewer free bytes than this has filled it.
_NEARLY_NOTHING = 1 << 20


def read_image(path: str | Path, component: int | None = None) -> sitk.Image:
    """Read a 3D scalar image; a 2D image becomes a volume of one slice.

    Args:
        path: A file in any format that ITK reads (NIfTI, NRRD, MetaImage, PNG, …), or a folder with the files of one
            DICOM series. ``FOLDER#UID`` chooses among several series.
        component: Which component of a colour image is wanted (0, 1, 2 for red, green, blue); None where a channel
            takes no colour, so that colour images are refused.

    Returns:
        The image, without the file's metadata: names and dates of patients stay behind.

    Raises:
        InputError: If it is missing, cannot be read, or is not one volume or slice of one number per voxel.
    """
    folder, chosen, series = str(path).rpartition("#")
    if not chosen or Path(path).exists():
        folder, series = str(path), ""
    place = Path(folder)
    if not place.exists():
        raise InputError(f"There is no file or folder {place}.", remedy="Check the path.", code="no-such-file")
    with quiet_itk():
        image = read_dicom_series(place, series) if place.is_dir() else _read_file(place, component)
    return without_metadata(image)


def grid_of_file(path: Path) -> Grid:
    """Return the grid that an image file states, without reading its voxels."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    with quiet_itk():
        reader.ReadImageInformation()
    return Grid(reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection())


def write_image(image: sitk.Image, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write an image, compressed, under a temporary name first, so that ``path`` is never half written.

    Args:
        image: The image; its own metadata is not written (it may name a patient).
        path: ``.nrrd``, ``.nii.gz``, ``.nii`` or ``.mha``; an existing file is replaced. The folder must exist.
        metadata: Key and value pairs to write into the header.

    Raises:
        InputError: If the format is another one, or the disk refuses.
        ResourceError: If the disk is full.
    """
    path = Path(path)
    if not path.name.endswith(_WRITABLE):  # ITK does not write .NII
        raise InputError(
            f"{path.name} names no image format that can be written.", reason=f"It must end in {', '.join(_WRITABLE)}.",
            remedy="Choose another file name.", code="unknown-format",
        )  # fmt: skip
    image = without_metadata(image)
    for key, value in (metadata or {}).items():
        image.SetMetaData(key, value)
    try:
        with quiet_itk(), replacing(path) as temporary:
            _write_all(image, temporary)
    except (RuntimeError, OSError, InputError) as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise describe(error) from error
        raise InputError(
            f"{path} could not be written.",
            reason=error.reason if isinstance(error, InputError) else _last_line(error),
            remedy="Check that the folder exists, that you may write there, and that the disk is not full.",
            code="cannot-write",
        ) from error  # fmt: skip


def _write_all(image: sitk.Image, path: Path) -> None:
    """Write ``image``, or raise an error; on a full disk ITK reports a NIfTI file as written that is not complete."""
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
        if path.name.endswith(_NIFTI):
            check_nifti_complete(path)
    except (RuntimeError, InputError) as error:
        if shutil.disk_usage(path.parent).free < _NEARLY_NOTHING:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent)) from error
        raise


def without_metadata(image: sitk.Image) -> sitk.Image:
    """Return ``image`` without key and value pairs; voxels and geometry are the same."""
    clean = sitk.Image(image)
    clean.MakeUnique()  # otherwise erasing would reach the caller's image, which shares its dictionary
    for key in image.GetMetaDataKeys():
        clean.EraseMetaData(key)
    return clean


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK from printing warnings; what matters of them is checked and said in words."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _read_file(path: Path, component: int | None) -> sitk.Image:
    if path.name.lower().endswith(_NIFTI):
        check_nifti_complete(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        _check_volume(path, reader, component)
        image = reader.Execute()
        if image.GetNumberOfComponentsPerPixel() > 1:
            image = sitk.VectorIndexSelectionCast(image, component)
        if image.GetDimension() == 2:
            # Its thickness is unknown; that of its pixels keeps the volume of a voxel plausible.
            image = sitk.JoinSeries([image], 0.0, sum(image.GetSpacing()) / 2)
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    Grid.from_image(image)  # refuses broken geometry in words
    return image


def _check_volume(path: Path, reader: sitk.ImageFileReader, component: int | None) -> None:
    """Refuse what is not one volume or slice before its voxels are read."""
    if is_dicom_file(path):
        raise InputError(
            f"{path.name} is a DICOM file.", reason="A DICOM volume is a series of files, one per slice.",
            remedy=f"Give the folder that holds the whole series: {path.parent}.", code="dicom-slice",
        )  # fmt: skip
    size, components = reader.GetSize(), reader.GetNumberOfComponents()
    if len(size) not in (2, 3):
        raise InputError(
            f"{path.name} has {len(size)} dimensions ({' × '.join(map(str, size))}).",
            reason="A channel is one three-dimensional volume.",
            remedy="Extract one volume (one time point, one b-value) and give that.",
            code="not-3d",
        )
    if components == 1 or (component is not None and components in _COLOURS):
        return
    raise InputError(
        f"{path.name} has {components} values per voxel.",
        reason="A channel is one number per voxel; this is a colour, vector or complex image."
        if component is None
        else "A colour image has three of them, or four with transparency.",
        remedy="Extract one component, or give the grey-scale volume.", code="not-scalar",
    )  # fmt: skip


def _unreadable(path: Path, error: RuntimeError) -> InputError:
    if "orthonormal" in str(error):
        return InputError(
            f"The axes of {path.name} are not at right angles.",
            reason="Its header describes a sheared grid, which ITK does not read.",
            remedy="Load it in Slicer, resample and save it there, or correct the header.",
            code="sheared",
        )
    return InputError(
        f"{path.name} cannot be read as an image.", reason=_last_line(error),
        remedy="Check that it is a NIfTI, NRRD, MetaImage or other medical image file and that it is complete.",
        code="unreadable",
    )  # fmt: skip


def _last_line(error: Exception) -> str:
    """The last line of an ITK error: the sentence; what comes before are source lines and object addresses."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].removeprefix("sitk::ERROR:").strip() if lines else type(error).__name__
