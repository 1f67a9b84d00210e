"""Sliding a window over the whole input and blending what the networks say."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import ConvNeXtSegError
from ..networks.extents import Extents
from ..progress import Reporter
from .accumulate import Accumulator, accumulator_for
from .backend import Backend
from .spread import Spread
from .tiling import Tiling


@dataclass(frozen=True)
class WindowOptions:
    """How windows are laid out, seen and blended.

    Attributes:
        patch: Extent of a window, (D, H, W).
        outputs: The networks' outputs R.
        overlap: Part of a window, 0 to below 1, by which neighbours overlap at least.
        mirror_axes: Axes (0 = D, 1 = H, 2 = W) along which the windows are mirrored too, in every combination; what
            the network says is mirrored back and averaged.
        arithmetic: One of ``accumulate.ARITHMETICS``.
        window_batch: Windows at a time.
        nothing: One value for each output, which says that nothing is there. Windows that are 0 in every channel are
            not computed then but take these values. None: every window is computed.
        accumulate_on: Device that holds the sums.
    """

    patch: Extents
    outputs: int
    overlap: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    arithmetic: str = "float32"
    window_batch: int = 1
    nothing: tuple[float, ...] | None = None
    accumulate_on: str = "cpu"

    @property
    def views(self) -> list[tuple[int, ...]]:
        """Axes mirrored in each view of a window; the window as it is comes first."""
        axes = self.mirror_axes
        return [view for count in range(len(axes) + 1) for view in itertools.combinations(axes, count)]


def predict(
    array: np.ndarray,
    backends: Sequence[Backend],
    options: WindowOptions,
    reporter: Reporter,
    spread: Spread | None = None,
) -> np.ndarray:
    """Return what the networks say about every voxel.

    Args:
        array: Prepared input, float32, shape ``(C, D, H, W)``; voxels beyond its border count as 0 (background).
        backends: Give logits for windows; several are the members of an ensemble, whose outputs are averaged.
        options: How windows are laid out, seen and blended.
        reporter: Hears of every window, and can cancel between and within windows.
        spread: Hears every single answer, where their disagreement is wanted; for logits only, not for nnunet-v1.

    Returns:
        The averaged outputs, float32, shape ``(R, D, H, W)``: logits, or probabilities where the arithmetic averages
        those (nnunet-v1).

    Raises:
        RunCancelled: If the user cancelled.
        ConvNeXtSegError: If the network's output is not a number somewhere.
    """
    tiling = Tiling(array.shape[1:], options.patch, options.overlap)
    array = np.ascontiguousarray(tiling.pad(array), dtype=np.float32)
    full, empty = _sorted_by_content(array, tiling, options)
    padded = torch.from_numpy(array)
    total, done = len(backends) * len(full), 0
    reporter.progress("predict", 0.0, f"{total} windows")
    with torch.inference_mode():
        accumulator = accumulator_for(options.arithmetic, tiling, options.outputs, options.accumulate_on)
        for backend in backends:
            for start in empty:
                accumulator.add(_nothing(options), start)
            for first in range(0, len(full), options.window_batch):
                starts = full[first : first + options.window_batch]
                windows = torch.stack([padded[(slice(None), *tiling.window(start))] for start in starts])
                outputs = _seen(windows, starts, backend, accumulator, options, reporter, spread)
                for index, start in enumerate(starts):
                    accumulator.add(outputs[index], start)
                done += len(starts)
                reporter.progress("predict", done / total, f"window {done} of {total}")
            accumulator.end_member()
            if len(backends) > 1:
                backend.release()  # the next member's working memory takes its place
        result = accumulator.result().numpy()
    if not np.isfinite(result).all():
        raise _not_a_number()
    return result


def _sorted_by_content(
    array: np.ndarray, tiling: Tiling, options: WindowOptions
) -> tuple[list[Extents], list[Extents]]:
    """Return the windows to compute and those to leave out, each in tiling order."""
    if options.nothing is None:
        return tiling.starts, []
    shown = np.zeros(array.shape[1:], dtype=bool)
    for channel in array:
        shown |= channel != 0
    full, empty = [], []
    for start in tiling.starts:
        (full if shown[tiling.window(start)].any() else empty).append(start)
    return full, empty


def _nothing(options: WindowOptions) -> torch.Tensor:
    return torch.tensor(options.nothing)[:, None, None, None].expand(-1, *options.patch)


def _seen(
    windows: torch.Tensor,
    starts: list[Extents],
    backend: Backend,
    accumulator: Accumulator,
    options: WindowOptions,
    reporter: Reporter,
    spread: Spread | None,
) -> torch.Tensor:
    """Return the network's outputs ``(N, R, d, h, w)``, averaged over the views of the windows."""
    views = options.views
    total: torch.Tensor | None = None
    for view in views:
        axes = [2 + axis for axis in view]
        mirrored = windows.flip(axes) if view else windows
        outputs = accumulator.transform(backend.logits(mirrored, reporter.check))
        outputs = outputs.flip(axes) if view else outputs
        if spread is not None:
            for answer, start in zip(outputs, starts, strict=True):
                spread.add(answer, start)
        total = outputs if total is None else total.add_(outputs)
    return total if len(views) == 1 else total.div_(len(views))


def _not_a_number() -> ConvNeXtSegError:
    return ConvNeXtSegError(
        "The model's output is not a number in some places, so there is no trustworthy mask.",
        reason="Its weights are damaged, or the images hold extreme values.",
        remedy="Check the images for wrong intensities, or choose another version of the model.",
        code="bad-output",
    )
