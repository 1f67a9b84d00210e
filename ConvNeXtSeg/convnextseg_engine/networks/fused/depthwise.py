"""Depthwise 3D convolutions of stride 1 and 2 and their gradients, by the kernels that are fast on a CPU.

All tensors are one sample, ``(1, C, D, H, W)`` in channels-last memory. Three kinds of convolution:

* ``"same"``: ``y[j] = Σ_k x[j + k − p] w[k]``
* ``"down"``: ``y[i] = Σ_k x[2i + k − p] w[k]``, an even extent n becomes n/2
* ``"up"`` (transposed): ``y[2i + k − p] += x[i] w[k]``, an extent n becomes 2n − 1
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

# Planes that go through the 2D kernel together: 16 planes of 64² × 32 channels stay within a core's second-level cache.
_SLAB = 16


def convolve(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, kind: str) -> torch.Tensor:
    """Return the depthwise convolution of ``x`` with ``weight`` ``(C, 1, K, K, K)``."""
    channels, pad = weight.shape[0], weight.shape[-1] // 2
    if kind == "up":
        # A transposed convolution is a plain one with flipped kernel over the input spread onto zeros.
        spread = _spread(x, tuple(2 * n - 1 for n in x.shape[2:]))
        return F.conv3d(spread, weight.flip(2, 3, 4), bias, 1, pad, 1, channels)
    return F.conv3d(x, weight, bias, 2 if kind == "down" else 1, pad, 1, channels)


def input_gradient(dy: torch.Tensor, weight: torch.Tensor, kind: str, shape: torch.Size) -> torch.Tensor:
    """Return the gradient of the input of shape ``shape``, from the gradient ``dy`` of the output."""
    channels, pad = weight.shape[0], weight.shape[-1] // 2
    if kind == "up":
        return F.conv3d(dy, weight, None, 2, pad, 1, channels)
    if kind == "down":
        dy = _spread(dy, tuple(shape[2:]))
    return F.conv3d(dy, weight.flip(2, 3, 4), None, 1, pad, 1, channels)


def weight_gradient(x: torch.Tensor, dy: torch.Tensor, kernel: int, kind: str) -> torch.Tensor:
    """Return the gradient of the weight, ``(C, 1, K, K, K)``, from the input and the gradient of the output."""
    if kind == "same":
        if x.shape[4] <= (4 if kernel == 3 else 8):
            return _stock_weight_gradient(
                x, dy, (kernel,) * 3, 1
            )  # tiny extents: nothing to gain from going plane by plane
        return _planewise(x, dy, kernel, stride=1)
    return _planewise(x, dy, kernel, stride=2) if kind == "down" else _planewise(dy, x, kernel, stride=2)


def _planewise(big: torch.Tensor, small: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Return ``Σ_i small[i] · big[stride·i + k − p]`` for each k, one kernel plane at a time by the 2D kernel."""
    channels, depth, rows = big.shape[1], big.shape[2], small.shape[2]
    pad = kernel // 2
    result = big.new_zeros((channels, 1, kernel, kernel, kernel))
    # Depth becomes the batch axis: (D, C, H, W), a view in 2D channels-last.
    planes, gradients = big[0].transpose(0, 1), small[0].transpose(0, 1)
    for start in range(0, rows, _SLAB):
        for dz in range(kernel):
            offset = dz - pad
            low = max(start, -(offset // stride))
            high = min(start + _SLAB, rows, (depth - 1 - offset) // stride + 1)
            if low < high:
                source = planes[stride * low + offset : stride * (high - 1) + offset + 1 : stride]
                result[:, :, dz] += _stock_weight_gradient(source, gradients[low:high], (kernel,) * 2, stride)
    return result


def _stock_weight_gradient(x: torch.Tensor, dy: torch.Tensor, kernel: tuple[int, ...], stride: int) -> torch.Tensor:
    channels, dims = x.shape[1], len(kernel)
    weight = x.new_empty((channels, 1, *kernel))
    pad = [n // 2 for n in kernel]
    return torch.ops.aten.convolution_backward(
        dy, x, weight, None, [stride] * dims, pad, [1] * dims, False, [0] * dims, channels, [False, True, False]
    )[1]


def _spread(x: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return ``x`` on the even places of a zero tensor of extents ``shape``."""
    size = (1, x.shape[1], *shape)
    result = torch.empty(size, dtype=x.dtype, device=x.device, memory_format=torch.channels_last_3d).zero_()
    result[:, :, ::2, ::2, ::2] = x
    return result
