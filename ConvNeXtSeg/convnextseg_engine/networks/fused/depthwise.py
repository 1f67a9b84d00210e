"""Depthwise convolutions of volumes and their input gradients, a few planes at a time.

Everything is one sample, ``(1, C, D, H, W)`` in channels-last memory, results are rows (see ``rows``). A kernel has odd
extents ``(Kd, Kh, Kw)``, of which Kd is 1 for 2D images; ``steps`` are strides per axis, 1 or 2. Two directions:

* ``gather``: ``y[j] = Σ_k x[s·j + k − p] w[k]``
* ``scatter`` (transposed): ``y[s·i + k − p] += x[i] w[k]``

The input gradient of each is the other.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from . import recycled
from .rows import as_rows, as_volume

# Planes are worked on in slabs of about this many values (6 MB in fp32): what a convolution returns is then small
# enough for the allocator to keep, and is copied to its place while it is in the cache.
_SLAB_VALUES = 3 << 19

Triple = tuple[int, int, int]


def slab_planes(values_per_plane: int) -> int:
    """Return how many planes of ``values_per_plane`` are worked on at once."""
    return max(1, _SLAB_VALUES // values_per_plane)


def gathered_shape(shape: Triple, kernel: Triple, steps: Triple) -> Triple:
    """Return the extents of what ``gather`` returns for an input of extents ``shape``."""
    return tuple((n + 2 * (k // 2) - k) // s + 1 for n, k, s in zip(shape, kernel, steps, strict=True))


def gather(
    x: torch.Tensor, weight: torch.Tensor, steps: Triple, shape: Triple, plus: torch.Tensor | None = None
) -> torch.Tensor:
    """Return rows, of extents ``shape``, of the depthwise convolution of ``x``, with the rows ``plus`` added.

    ``weight`` is ``(C, 1, Kd, Kh, Kw)``.
    """
    channels, kernel = x.shape[1], weight.shape[2:]
    pads = tuple(k // 2 for k in kernel)
    depth, height, width = shape
    area = height * width
    result = recycled.empty((depth * area, channels), x)
    planes = slab_planes(max(area, math.prod(x.shape[3:]) * steps[0]) * channels)
    for start in range(0, depth, planes):
        stop = min(start + planes, depth)
        part, padding = x, pads
        if stop - start < depth:
            low, high = start * steps[0] - pads[0], (stop - 1) * steps[0] + kernel[0] - pads[0]
            part, padding = _planes(x, low, high), (0, *pads[1:])
        rows = as_rows(F.conv3d(part, weight, None, steps, padding, 1, channels))
        target = slice(start * area, stop * area)
        if plus is None:
            result[target].copy_(rows)
        else:
            torch.add(rows, plus[target], out=result[target])
    return result


def _planes(x: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """Return the planes of ``x`` from ``low`` up to ``high``; those outside are zero."""
    part = x[:, :, max(low, 0) : high]
    before, after = (
        x.new_zeros((1, planes, *x.shape[3:], x.shape[1])).movedim(-1, 1)
        for planes in (max(-low, 0), max(high - x.shape[2], 0))
    )
    pieces = [each for each in (before, part, after) if each.shape[2]]
    return part if len(pieces) == 1 else torch.cat(pieces, 2)


def scatter(x: torch.Tensor, weight: torch.Tensor, steps: Triple, shape: Triple) -> torch.Tensor:
    """Return rows of the transposed depthwise convolution of ``x``, of extents ``shape``.

    Places of equal remainder modulo the step are reached by the same taps, so each remainder is a small convolution of
    ``x`` itself. Spreading ``x`` onto zeros instead would multiply mostly zeros, eight times the work.
    """
    channels = x.shape[1]
    axes = [
        [_Remainder.of(k, s, r, n) for r in range(min(s, n))]
        for k, s, n in zip(weight.shape[2:], steps, shape, strict=True)
    ]
    front = [max(0, *(-each.first for each in axis)) for axis in axes]
    back = [max(0, *(each.last + 1 - n for each in axis)) for axis, n in zip(axes, x.shape[2:], strict=True)]
    padded = F.pad(x, [width for axis in (2, 1, 0) for width in (front[axis], back[axis])])
    result = recycled.empty((math.prod(shape), channels), x)
    volume = as_volume(result, shape)
    for d, h, w in itertools.product(*axes):
        part = weight[:, :, d.taps, h.taps, w.taps].flip(2, 3, 4)
        column = slice(w.first + front[2], w.first + front[2] + w.count)
        row = slice(h.first + front[1], h.first + front[1] + h.count)
        planes = slab_planes(padded.shape[3] * padded.shape[4] * channels)
        for start in range(0, d.count, planes):
            stop = min(start + planes, d.count)
            low = d.first + front[0] + start
            slab = padded[:, :, low : low + stop - start + part.shape[2] - 1]
            target = volume[:, :, d.remainder :: steps[0], h.remainder :: steps[1], w.remainder :: steps[2]]
            _write_valid(target[:, :, start:stop], slab, part, row, column)
    return result


def _write_valid(target: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, row: slice, column: slice) -> None:
    """Write rows and columns of the convolution of ``x``, without padding, to ``target`` ``(1, C, d, h, w)``."""
    channels = x.shape[1]
    if weight.numel() > channels * weight.shape[2]:
        target.copy_(F.conv3d(x, weight, groups=channels)[:, :, :, row, column])
        return
    # A kernel of one column, or of none at all (kernel 1, odd places): products are quicker than a convolution.
    target.zero_()
    for tap in range(weight.shape[2] if weight.numel() else 0):
        part = x[:, :, tap : tap + target.shape[2], row, column]
        target.addcmul_(part, weight[:, 0, tap].view(1, channels, 1, 1, 1))


@dataclass(frozen=True)
class _Remainder:
    """Along one axis, the places ``s·q + remainder`` of a transposed convolution, for q in 0 … count − 1.

    Attributes:
        remainder: Of the places, modulo the step s.
        taps: The kernel's taps that reach them.
        first: Index of the first input that the place q = 0 is made of; later places follow one by one.
        last: Index of the last input that the last place is made of.
        count: How many places there are.
    """

    remainder: int
    taps: slice
    first: int
    last: int
    count: int

    @classmethod
    def of(cls, kernel: int, step: int, remainder: int, extent: int) -> _Remainder:
        """Return the places of an output of ``extent`` voxels."""
        # The place s·q + r gets x[i] by the tap k = s·(q − i) + r + p, so k ≡ r + p modulo s.
        reach = remainder + kernel // 2
        tap = reach % step
        count = -(-(extent - remainder) // step)
        number = len(range(tap, kernel, step))
        first = reach // step - (number - 1)
        return cls(remainder, slice(tap, None, step), first, first + count - 1 + number - 1, count)
