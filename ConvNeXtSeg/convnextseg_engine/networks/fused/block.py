"""The autograd function of a MedNeXt block, and the rule that says where it applies."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from . import bottleneck, depthwise
from .rows import as_rows, as_volume

_EVEN = (slice(None), slice(None), slice(None, None, 2), slice(None, None, 2), slice(None, None, 2))


def applies(block: nn.Module, x: torch.Tensor) -> bool:
    """Say whether the fused path computes ``block`` of ``x``; everything else goes through plain autograd.

    It does for 3D, group norm with one group per channel, no GRN, on the CPU in float32 or float64. It does not under
    autocast (half precision has its own kernels) nor while a graph is being exported, which must see plain operations.
    """
    return (
        block.fused
        and x.dim() == 5
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and isinstance(block.norm, nn.GroupNorm)
        and not block.grn
        and not torch.is_autocast_enabled("cpu")
        and not torch.jit.is_tracing()
        and not torch.compiler.is_compiling()
    )


def fused_block(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return ``block(x)``, residual included, for ``x`` of shape ``(N, C, D, H, W)``."""
    projection = (block.res_conv.weight, block.res_conv.bias) if block.kind != "same" else (None, None)
    return _Block.apply(
        x, block.conv1.weight, block.conv1.bias, block.norm.weight, block.norm.bias, block.conv2.weight,
        block.conv2.bias, block.conv3.weight, block.conv3.bias, *projection, block.kind, block.norm.eps,
    )  # fmt: skip


class _Block(torch.autograd.Function):
    """Depthwise → norm → expand → GELU → compress, plus residual; one sample after the other, as the norm is."""

    @staticmethod
    def forward(
        ctx: Any, x, depth_w, depth_b, gamma, beta, expand_w, expand_b, compress_w, compress_b, res_w, res_b, kind, eps
    ):  # fmt: skip
        x = x.contiguous(memory_format=torch.channels_last_3d)
        expand, compress = _matrix(expand_w), _matrix(compress_w)
        results, saved = [], []
        for sample in x.split(1):
            y = depthwise.convolve(sample, depth_w, depth_b, kind)
            y = y.contiguous(memory_format=torch.channels_last_3d)
            folded = bottleneck.fold(y, gamma, beta, eps, expand, expand_b)
            residual = as_rows(sample) if kind == "same" else None
            rows = bottleneck.forward(as_rows(y), folded, compress, compress_b, residual)
            result = as_volume(rows, y.shape[2:])
            if kind != "same":
                result = _add_projection(result, sample, res_w, res_b, kind)
            results.append(result)
            saved += [y, folded.mean, folded.rstd, folded.weight, folded.bias]
        ctx.save_for_backward(x, depth_w, gamma, beta, expand_w, compress_w, res_w, *saved)
        ctx.kind = kind
        out = results[0] if len(results) == 1 else torch.cat(results)
        return out.contiguous(memory_format=torch.channels_last_3d)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient):
        x, depth_w, gamma, beta, expand_w, compress_w, res_w, *saved = ctx.saved_tensors
        kind, kernel = ctx.kind, depth_w.shape[-1]
        if kind == "up":
            gradient = gradient[:, :, 1:, 1:, 1:]  # the front planes are constant zeros
        gradient = gradient.contiguous(memory_format=torch.channels_last_3d)
        totals: list[torch.Tensor] | None = None
        dx = torch.empty_like(x)
        for index, (sample, g) in enumerate(zip(x.split(1), gradient.split(1), strict=True)):
            y, *statistics = saved[5 * index : 5 * index + 5]
            parts = bottleneck.backward(
                as_rows(y),
                as_rows(g),
                bottleneck.Folded(*statistics),
                gamma,
                beta,
                _matrix(expand_w),
                _matrix(compress_w),
            )
            dy = as_volume(parts.rows, y.shape[2:])
            d_sample = depthwise.input_gradient(dy, depth_w, kind, sample.shape)
            d_depth = depthwise.weight_gradient(sample, dy, kernel, kind)
            tensors = [
                d_depth,
                parts.gamma,
                parts.beta,
                parts.expand,
                parts.expand_bias,
                parts.compress,
                parts.compress_bias,
            ]
            if kind == "same":
                d_sample = d_sample + g
            else:
                d_sample, d_projection = _projection_gradient(d_sample, sample, g, res_w, kind)
                # The projection's bias is added wherever the compression's is, so their gradients are the same.
                tensors += [d_projection, parts.compress_bias]
            dx[index : index + 1] = d_sample
            totals = tensors if totals is None else [a + b for a, b in zip(totals, tensors, strict=True)]
        d_depth, d_gamma, d_beta, d_expand, d_expand_b, d_compress, d_compress_b, *projection = totals
        d_res, d_res_b = (projection[0].view(res_w.shape), projection[1]) if projection else (None, None)
        # A constant added before the norm is removed by it: the depthwise bias has gradient exactly zero.
        return (
            dx, d_depth, torch.zeros_like(gamma), d_gamma, d_beta, d_expand.view(expand_w.shape), d_expand_b,
            d_compress.view(compress_w.shape), d_compress_b, d_res, d_res_b, None, None,
        )  # fmt: skip


def _matrix(weight: torch.Tensor) -> torch.Tensor:
    """Return a 1×1×1 convolution's weight as a matrix, first axis × second axis."""
    return weight[:, :, 0, 0, 0]


def _add_projection(result, sample, weight, bias, kind):
    """Add the strided 1×1 residual; an up block's result then gets its front planes of zeros."""
    if kind == "down":
        picked = sample[_EVEN].permute(0, 2, 3, 4, 1).reshape(-1, sample.shape[1])
        as_rows(result).add_(torch.addmm(bias, picked, _matrix(weight).t()))
        return result
    as_rows(result).add_(bias)
    result[_EVEN] += as_volume(as_rows(sample) @ _matrix(weight), sample.shape[2:])
    return F.pad(result, (1, 0, 1, 0, 1, 0))


def _projection_gradient(d_sample, sample, g, weight, kind):
    """Return the input's gradient with the residual's part added, and the gradient of the projection's matrix."""
    matrix = _matrix(weight)
    if kind == "down":
        picked = sample[_EVEN].permute(0, 2, 3, 4, 1).reshape(-1, sample.shape[1])
        d_sample[_EVEN] += as_volume(as_rows(g) @ matrix, g.shape[2:])
        return d_sample, as_rows(g).t() @ picked
    picked = g[_EVEN].permute(0, 2, 3, 4, 1).reshape(-1, g.shape[1])
    d_sample = d_sample + as_volume(picked @ matrix.t(), sample.shape[2:])
    return d_sample, as_rows(sample).t() @ picked
