"""From a study to the network's input, and from the network's output back to the study's grid.

Training and inference both come through here, so what a model was trained on is what it is given.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .canonical import canonical, canonical_grid
from .finite import finite
from .foreground import require_overlap, require_something
from .grid import Grid
from .intensity import intensity_steps
from .nnunet.placement import Placement
from .nnunet.preparation import Preparation
from .nnunet.prepare import prepare_nnunet
from .resample import OUR_AXES, anatomical_grid, cropped_grid, is_orientation, resample
from .study import Study

# Millimetres kept around the foreground, so that the border of the brain never touches the border of the input.
_CROP_MARGIN_MM = 6.0

ANATOMICAL = "anatomical"  # the scheme of a preparation that is ours with other axes or intensities

# Channels that are worked on at a time; more would only take memory.
_AT_A_TIME = 4

# No scanner's bed is longer; more means that a header counts in something else than millimetres.
_LONGEST_MM = 5000.0


@dataclass(frozen=True)
class InputSpec:
    """What a network expects of its input.

    Attributes:
        channels: Channel names in network order.
        spacing: Millimetres along L, P, S.
        intensity: Name of a simple intensity scheme of ``images/intensity.py``, or ``"steps"``.
        preparation: Empty for our own way. ``{"scheme": "anatomical", "axes": "RAS", "intensity": [steps]}`` differs
            from it by the array's axes or intensity steps; any other ``scheme`` is a program's: see ``images/nnunet/``.
    """

    channels: tuple[str, ...]
    spacing: tuple[float, float, float]
    intensity: str = "zscore-foreground"
    preparation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedInput:
    """Network input.

    Attributes:
        array: Shape ``(C, D, H, W)``, float32; absent channels are zero.
        grid: Where its voxels lie.
        present: Channels that the study has, in network order.
        placement: The way back, where another program's preparation has its own.
    """

    array: np.ndarray
    grid: Grid
    present: tuple[str, ...]
    placement: Placement | None = None


def prepare(study: Study, spec: InputSpec) -> PreparedInput:
    """Bring the study's channels onto one grid, crop to the foreground and normalise, in the way that ``spec`` says.

    Raises:
        InputError: If the study has none of the channels, an intensity scheme is unknown, a channel is 0 wherever the
            reference lies, no channel shows anything, or the reference's spacing cannot be in millimetres.
        ResourceError: If a package is missing that another program's preparation needs.
    """
    present = tuple(name for name in spec.channels if name in study.channels)
    if not present:
        raise InputError(
            "None of the study's channels is one that the model knows.",
            reason=f"The model takes {', '.join(spec.channels)}; the study has {', '.join(study.channels) or 'none'}.",
            remedy="Assign at least one volume to one of the model's channels.",
            code="no-known-channel",
        )
    _check_extent(canonical_grid(study.channels[study.reference]), study.reference, spec)
    if spec.preparation.get("scheme", ANATOMICAL) != ANATOMICAL:
        preparation = Preparation.from_dict(spec.preparation, len(spec.channels))
        array, placement = prepare_nnunet(study, spec.channels, present, preparation)
        return PreparedInput(_something(array, present), placement.grid, present, placement)
    return _prepare_anatomically(study, spec, present)


def _prepare_anatomically(study: Study, spec: InputSpec, present: tuple[str, ...]) -> PreparedInput:
    steps = intensity_steps(spec.intensity, spec.preparation.get("intensity", ()))
    reference = canonical_grid(study.channels[study.reference])
    whole = anatomical_grid(reference, spec.spacing, _axes(spec))

    def onto_whole(name: str) -> np.ndarray:
        return sitk.GetArrayFromImage(resample(finite(canonical(study.channels[name])), whole))

    with ThreadPoolExecutor(_AT_A_TIME) as pool:  # numpy and ITK let other threads run meanwhile
        arrays = dict(zip(present, pool.map(onto_whole, present), strict=True))
    require_something(arrays, study.channels)
    require_overlap(arrays, study.reference, study.channels)
    start, size = _foreground_box(list(arrays.values()), whole)
    k, j, i = (slice(a, a + n) for a, n in zip(reversed(start), reversed(size), strict=True))
    stacked = np.zeros((len(spec.channels), *reversed(size)), dtype=np.float32)
    # Statistics that count the background are those of the whole image; only then its memory is needed.
    cropped = all(step.of_foreground for step in steps)

    def normalise(name: str) -> None:
        array = arrays[name][k, j, i] if cropped else arrays[name]
        for step in steps:
            array = step.apply(array)
        stacked[spec.channels.index(name)] = array if cropped else array[k, j, i]

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        list(pool.map(normalise, present))
    return PreparedInput(_something(stacked, present), cropped_grid(whole, start, size), present)


def restore(array: np.ndarray, prepared_grid: Grid, target: Grid) -> np.ndarray:
    """Bring one network output back to the study's grid; outside the network's input it is 0.

    Args:
        array: Probabilities of one region, shape ``(D, H, W)`` on ``prepared_grid``.
        prepared_grid: Grid of the network's input.
        target: Grid of the volume that the user chose.

    Returns:
        float32 array of ``target.shape``.
    """
    return sitk.GetArrayFromImage(resample(prepared_grid.image(array.astype(np.float32)), target))


def _something(array: np.ndarray, present: tuple[str, ...]) -> np.ndarray:
    """Return ``array``, unless normalising left nothing of it."""
    if not array.any():
        raise InputError(
            "The images show nothing.",
            reason=f"Each of them ({', '.join(present)}) has one intensity throughout.",
            remedy="Check that the right volumes are assigned, and how they were exported.",
            code="empty-image",
        )
    return array


def _check_extent(grid: Grid, name: str, spec: InputSpec) -> None:
    """Refuse a volume that is longer than any scanner, or smaller than two voxels of the network."""
    low, high = grid.outer_box()
    longest = float((high - low).max())
    if not 2 * max(spec.spacing) <= longest <= _LONGEST_MM:
        raise InputError(
            f"The volume for {name} is {longest:.3g} mm long, which no study is.",
            reason=f"Its header says that voxels are {' × '.join(f'{v:g}' for v in grid.spacing)} mm apart, but these "
            "are probably no millimetres.",
            remedy="Correct the spacing in Slicer's Volumes module, or export the image again.",
            code="bad-spacing",
        )


def _axes(spec: InputSpec) -> str:
    axes = spec.preparation.get("axes", OUR_AXES)
    if not is_orientation(axes):
        raise InputError(
            "The model does not say properly how its images are prepared.",
            reason=f"In “preparation” of its metadata.json the axes are {axes!r}, not three letters such as RAS.",
            remedy="Import the model again, or take its folder from its source.",
            code="bad-preparation",
        )
    return axes


def _foreground_box(arrays: list[np.ndarray], grid: Grid) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Start and size (I, J, K) of the box around the voxels that are non-zero in any channel, with a margin."""
    foreground = np.any([array != 0 for array in arrays], axis=0)
    start, size = [], []
    for axis, spacing in zip((2, 1, 0), grid.spacing, strict=True):
        hit = np.flatnonzero(foreground.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(np.ceil(_CROP_MARGIN_MM / spacing))
        low = max(0, int(hit[0]) - margin)
        high = min(foreground.shape[axis], int(hit[-1]) + 1 + margin)
        start.append(low)
        size.append(high - low)
    return tuple(start), tuple(size)
