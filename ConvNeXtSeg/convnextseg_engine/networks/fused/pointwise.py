"""1×1(×1) convolutions as matrix products, for the layers outside of the blocks: stem and heads."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from . import recycled
from .rows import samples_as_rows
from .rule import is_plain, permitted


def pointwise(layer: nn.Module, x: torch.Tensor, fused: bool) -> torch.Tensor:
    """Return ``layer(x)`` of a stem (a convolution) or a head (a transposed one), both of extent 1 and stride 1.

    With ``fused``, and where custom functions are permitted, it is a matrix product: a stem's result is channels-last,
    as blocks want it, and a head's has one channel after the other, as losses want it.
    """
    tensors = (x, layer.weight, layer.bias)
    if not (fused and permitted() and x.numel() and all(is_plain(t) and t.dtype == x.dtype for t in tensors)):
        return layer(x)
    return (_Head if layer.transposed else _Stem).apply(*tensors)


class _Stem(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x, weight, bias):
        rows = samples_as_rows(x).flatten(0, 1)
        out = recycled.empty((rows.shape[0], weight.shape[0]), x)
        torch.addmm(bias, rows, weight.flatten(1).t(), out=out)
        ctx.save_for_backward(x, weight)
        return out.view(x.shape[0], *x.shape[2:], -1).movedim(-1, 1)

    @staticmethod
    def backward(ctx: Any, gradient):
        x, weight = ctx.saved_tensors
        rows, g = samples_as_rows(x).flatten(0, 1), samples_as_rows(gradient).flatten(0, 1)
        dx = None
        if ctx.needs_input_grad[0]:
            dx = (g @ weight.flatten(1)).view(x.shape[0], *x.shape[2:], -1).movedim(-1, 1)
        # Few columns on the left: the other way round took twelve times as long.
        return dx, (rows.t() @ g).t().reshape(weight.shape), g.sum(0)


class _Head(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x, weight, bias):
        out = x.new_empty((x.shape[0], weight.shape[1], *x.shape[2:]))
        for rows, target in zip(samples_as_rows(x), out.flatten(2), strict=True):
            torch.addmm(bias[:, None], weight.flatten(1).t(), rows.t(), out=target)
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    def backward(ctx: Any, gradient):
        x, weight = ctx.saved_tensors
        matrix, g = weight.flatten(1), gradient.contiguous().flatten(2)
        rows = samples_as_rows(x)
        if torch.is_grad_enabled():  # a gradient that will itself be differentiated
            dx = g.transpose(1, 2) @ matrix.t()
        else:
            dx = recycled.empty(tuple(rows.shape), x)
            torch.matmul(g.transpose(1, 2), matrix.t(), out=dx)
        d_weight = (g @ rows).sum(0).t()
        image = dx.view(x.shape[0], *x.shape[2:], -1).movedim(-1, 1)
        return image, d_weight.reshape(weight.shape), g.sum((0, 2))
