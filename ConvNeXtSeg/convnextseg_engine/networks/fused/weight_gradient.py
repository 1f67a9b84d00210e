"""Weight gradients of depthwise convolutions of volumes, one kernel plane at a time by a fast 2D kernel.

oneDNN has no fast depthwise 3D kernel for them, but a fast 2D one for kernels up to three columns wide (measured with
AVX2, 64³ × 32 channels, one core: 3³ taps 45 instead of 280 ms). Depth becomes the 2D kernel's batch axis, and a wider
kernel is put together from three columns at a time: 5³ taps 90 instead of 500 ms.
"""

from __future__ import annotations

import torch

from . import recycled
from .depthwise import Triple, slab_planes

_FAST_WIDTH = 3


def weight_gradient(big: torch.Tensor, small: torch.Tensor, kernel: Triple, steps: Triple) -> torch.Tensor:
    """Return ``Σ_i small[i] · big[s·i + k − p]`` for each tap k, as ``(C, 1, Kd, Kh, Kw)``.

    Args:
        big: ``(1, C, D, H, W)``, channels-last: a convolution's input, or the gradient of a transposed one's output.
        small: The same at the coarser grid: the gradient of a convolution's output, or a transposed one's input.
        kernel: Odd extents of the kernel.
        steps: Strides per axis.
    """
    channels, depth, rows = big.shape[1], big.shape[2], small.shape[2]
    pad, step = kernel[0] // 2, steps[0]
    result = big.new_zeros((channels, 1, *kernel))
    # Depth becomes the batch axis: (D, C, H, W), a view in 2D channels-last.
    planes, gradients = big[0].transpose(0, 1), small[0].transpose(0, 1)
    wide = kernel[2] > _FAST_WIDTH
    count = slab_planes(big.shape[3] * big.shape[4] * channels)
    for start in range(0, rows, count):
        stop = min(start + count, rows)
        first = max(step * start - pad, 0)
        source, slab = planes[first : step * (stop - 1) + pad + 1], gradients[start:stop]
        if wide:
            source, slab = _Margins.around(source, kernel[2], steps[2]), _Margins.around(slab, kernel[2], 1)
        for dz in range(kernel[0]):
            offset = dz - pad
            low, high = max(start, -(offset // step)), min(stop, (depth - 1 - offset) // step + 1)
            if low >= high:
                continue
            taken = slice(step * low + offset - first, step * (high - 1) + offset + 1 - first, step)
            given = slice(low - start, high - start)
            if wide:
                _add_wide(result[:, 0, dz], source, slab, taken, given, steps[1:])
            else:
                result[:, :, dz] += _two_dimensional(source[taken], slab[given], kernel[1:], steps[1:])
    return result


class _Margins:
    """Planes whose rows have a zero margin, so that a shift of the whole memory is a shift of each row.

    Args:
        planes: ``(D, C, H, W)``, 2D channels-last.
        left: Zero columns on the left.
        columns: Columns with margins.
        reach: How far the memory may be shifted, in columns.
    """

    def __init__(self, planes: torch.Tensor, left: int, columns: int, reach: int):
        depth, channels, height, width = planes.shape
        self._shape, self._reach = (depth, height, columns, channels), reach
        size = depth * height * columns * channels
        edge = reach * channels
        self._memory = recycled.empty((size + 2 * edge,), planes)
        self._memory[:edge], self._memory[edge + size :] = 0, 0
        inner = self._memory[edge : edge + size].view(self._shape)
        inner[:, :, left : left + width] = planes.permute(0, 2, 3, 1)
        inner[:, :, :left], inner[:, :, left + width :] = 0, 0

    @classmethod
    def around(cls, planes: torch.Tensor, kernel: int, step: int) -> _Margins:
        """Return ``planes`` with margins for a kernel of ``kernel`` columns."""
        pad = kernel // 2
        coarse = -(-planes.shape[3] // step)
        # One coarse column on the left is where the 2D kernel's own padding falls; altogether a row's margin must be
        # as wide as the kernel reaches, so that a shifted row never meets its neighbour's data.
        return cls(planes, step, step * (coarse + max(2, pad)), pad)

    def shifted(self, columns: int, planes: slice) -> torch.Tensor:
        """Return planes ``(d, C, H, W)``, channels-last, whose column w is this one's ``w + columns``."""
        _, height, width, channels = self._shape
        plane = height * width * channels
        start = (self._reach + columns) * channels
        size = self._shape[0] * plane
        return self._memory[start : start + size].view(self._shape)[planes].permute(0, 3, 1, 2)


def _add_wide(
    result: torch.Tensor, source: _Margins, slab: _Margins, taken: slice, given: slice, steps: tuple[int, int]
) -> None:
    """Add a kernel plane's gradient to ``result`` ``(C, Kh, Kw)``, three columns at a time."""
    height, width = result.shape[1:]
    gradient = slab.shifted(0, given)
    for column in range(0, width, _FAST_WIDTH):
        first = min(column, width - _FAST_WIDTH)  # the last three columns may overlap the ones before
        shifted = source.shifted(first + 1 - width // 2, taken)
        part = _two_dimensional(shifted, gradient, (height, _FAST_WIDTH), steps)[:, 0]
        result[:, :, column : first + _FAST_WIDTH] += part[:, :, column - first :]


def _two_dimensional(
    x: torch.Tensor, dy: torch.Tensor, kernel: tuple[int, int], steps: tuple[int, int]
) -> torch.Tensor:
    channels = x.shape[1]
    weight = x.new_empty((channels, 1, *kernel))
    pads = [k // 2 for k in kernel]
    return torch.ops.aten.convolution_backward(
        dy, x, weight, None, steps, pads, [1, 1], False, [0, 0], channels, [False, True, False]
    )[1]
