"""Writing what ``convnextseg segment`` found: labels, regions or probabilities, a preview and a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .destinations import writing

if TYPE_CHECKING:
    import numpy as np

    from ..images.grid import Grid
    from ..images.study import Study
    from ..inference.options import Settings
    from ..inference.segment import Segmentation
    from ..preparing.workflow import PreparedStudy

KINDS = ("labels", "regions", "probabilities")
SEG_NRRD = ".seg.nrrd"
_TOLERANCE_MM = 1e-4


def check_kind(kind: str, destinations: dict[str, Path]) -> None:
    """Refuse a kind of output that the format of ``--output`` cannot hold."""
    path = destinations["--output"]
    if kind != "labels" and path.name.endswith(SEG_NRRD):
        raise InputError(
            f"{path.name} cannot hold {kind}.",
            reason="A file that ends in .seg.nrrd holds labels, which do not overlap.",
            remedy="Give --output a name that ends in .nii.gz, .nii or .nrrd, or leave out --output-kind.",
            code="output-kind",
        )


def needs_probabilities(kind: str, destinations: dict[str, Path]) -> bool:
    """Say whether probabilities are to be written."""
    return kind == "probabilities" or "--probabilities" in destinations


def needs_uncertainty(destinations: dict[str, Path]) -> bool:
    """Say whether it is to be measured how sure the result is."""
    return "--uncertainty" in destinations or "--disagreement" in destinations


def check_disagreement(settings: Settings, destinations: dict[str, Path]) -> None:
    """Refuse ``--disagreement`` where it is not measured."""
    if "--disagreement" in destinations and not settings.disagreement:
        raise InputError(
            "With this arithmetic it is not measured by how much windows disagree.",
            reason=f"{settings.arithmetic} repeats what nnU-Net computes, and nothing else.",
            remedy="Add --arithmetic float32, or leave out --disagreement; --uncertainty works with both.",
            code="no-disagreement",
        )


def write_results(
    result: Segmentation,
    study: Study,
    destinations: dict[str, Path],
    kind: str,
    seconds: dict[str, float],
    overwrite: bool,
    prepared: PreparedStudy,
    renamed: dict[str, str],
) -> dict[str, Any]:
    """Write everything that was asked for and return the report.

    Args:
        result: What was found.
        study: What it was found in; the preview shows its reference.
        destinations: Option to file.
        kind: What ``--output`` is to hold, one of :data:`KINDS`.
        seconds: Time of the stages before; the time of writing is added.
        overwrite: Whether existing files may be replaced.
        prepared: What was done to the study before.
        renamed: Names of channels that were written otherwise, and how they were understood.
    """
    from ..durable import write_json
    from ..images.files import write_image
    from ..inference.preview import write_preview
    from ..inference.report import report
    from ..inference.study_warnings import told_once

    started = time.perf_counter()
    for option, path in destinations.items():
        with writing(option, path, overwrite=overwrite):
            if option == "--output":
                _write_output(result, path, kind)
            elif option == "--probabilities":
                _write_regions(result, result.calibrated(), path)
            elif option == "--uncertainty":
                write_image(result.grid.image(result.uncertainty.entropy), path)
            elif option == "--disagreement":
                write_image(result.grid.image(result.uncertainty.disagreement), path)
            elif option == "--preview":
                write_preview(path, study.channels[study.reference], result)
    seconds["write"] = time.perf_counter() - started
    told = report(result, seconds)
    told["warnings"] = [*told_once(prepared, told["warnings"]), *_moved(destinations["--output"], result.grid)]
    told |= prepared.to_dict() | {"renamed": renamed}
    if "--report" in destinations:
        path = destinations["--report"]
        with writing("--report", path, overwrite=overwrite):
            write_json(path, told)
    return told


def _write_output(result: Segmentation, path: Path, kind: str) -> None:
    from ..images.files import write_image
    from ..labels.regions import regions_of
    from ..labels.seg_nrrd import write_seg_nrrd

    if kind == "probabilities":
        _write_regions(result, result.calibrated(), path)
    elif kind == "regions":
        _write_regions(result, regions_of(result.mask, result.contract).astype("uint8"), path)
    elif path.name.endswith(SEG_NRRD):
        write_seg_nrrd(path, result.mask, result.grid, result.contract)
    else:
        write_image(result.grid.image(result.mask), path)


def _write_regions(result: Segmentation, arrays: np.ndarray, path: Path) -> None:
    """Write one image whose voxels have one value for each region; its header names them."""
    import SimpleITK as sitk

    from ..images.files import write_image

    names = "; ".join(region.name for region in result.contract.regions)
    write_image(sitk.Compose([result.grid.image(array) for array in arrays]), path, {"regions": names})


def _moved(path: Path, grid: Grid) -> list[str]:
    """Say if the file does not hold the image's place to 1e-4 mm, as NIfTI, which wants axes at right angles."""
    from ..images.files import grid_of_file

    error_mm = float(abs(grid_of_file(path).corners() - grid.corners()).max())
    if error_mm <= _TOLERANCE_MM:
        return []
    return [
        f"The format of {path.name} cannot hold this image's axes exactly: voxels lie up to {error_mm:.1g} mm beside "
        "those of the image. Files that end in .seg.nrrd or .nrrd hold them exactly."
    ]
