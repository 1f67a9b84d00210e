"""A MedNeXt block as one autograd function."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from . import bottleneck, recycled
from .depthwise import gather, scatter
from .geometry import Geometry
from .rows import as_volume, samples_as_rows
from .weight_gradient import weight_gradient


class FusedBlock(torch.autograd.Function):
    """Depthwise → norm → expand → GELU → compress, plus residual; one sample after the other, as the norm is.

    Arguments of ``apply``: the input, what is added to an up block's result (or None), weight and bias of depthwise
    convolution, norm, expansion, compression and, in down and up blocks, the residual's convolution (else None), the
    block's kind, the norm's ε, and whether a backward pass may follow.
    """

    @staticmethod
    def forward(
        ctx: Any, x, skip, depth_w, depth_b, gamma, beta, expand_w, expand_b, compress_w, compress_b, res_w, res_b,
        kind, eps, keep,
    ):  # fmt: skip
        """Return the block's result, channels-last."""
        geometry = Geometry(x, depth_w.shape[-1], kind)
        kernel = depth_w.reshape(-1, 1, *geometry.kernel)
        expand, compress = expand_w.flatten(1), compress_w.flatten(1)
        out = recycled.empty((x.shape[0], *geometry.exit, compress.shape[0]), x)
        if skip is not None:
            out.flatten(1, -2).copy_(samples_as_rows(skip))
        elif kind == "up":
            geometry.clear_front(out)
        bias = compress_b if kind == "same" else compress_b + res_b
        convolve = scatter if kind == "up" else gather
        saved = []
        for rows, target in zip(samples_as_rows(x), out, strict=True):
            # The depthwise bias is left out: the norm removes whatever is added to a channel.
            y = convolve(as_volume(rows, geometry.entry), kernel, geometry.steps, geometry.inner)
            folded = bottleneck.fold(y, gamma, beta, eps, expand, expand_b)
            if kind == "up":
                result = bottleneck.forward(y, folded, compress, bias).view(*geometry.inner, -1)
                place = geometry.behind(target)
                if skip is None:
                    place.copy_(result)
                else:
                    place.add_(result)
                geometry.even(place).add_((rows @ res_w.flatten(1)).view(*geometry.entry, -1))
            else:
                residual = rows if kind == "same" else geometry.picked(rows, geometry.entry) @ res_w.flatten(1).t()
                bottleneck.forward(y, folded, compress, bias, residual, target.flatten(0, -2))
            if keep:
                saved += [y, folded.mean, folded.rstd, folded.weight, folded.bias]
        if keep:
            ctx.save_for_backward(
                x, depth_w, depth_b, gamma, beta, expand_w, expand_b, compress_w, compress_b, res_w, res_b, *saved
            )
        ctx.geometry, ctx.kind, ctx.eps = geometry, kind, eps
        return geometry.image(out)

    @staticmethod
    def backward(ctx: Any, gradient):
        """Return the gradients of all arguments."""
        everything = ctx.saved_tensors  # checkpointing allows one look only
        tensors, saved = everything[:11], everything[11:]
        needed = [each for index, each in enumerate(ctx.needs_input_grad[:12]) if index != 1]
        if torch.is_grad_enabled():
            found = _differentiable(tensors, needed, gradient, ctx.kind, ctx.eps)
        else:
            found = _gradients(tensors, saved, needed, gradient, ctx.kind, ctx.geometry)
        return found[0], gradient if ctx.needs_input_grad[1] else None, *found[1:], None, None, None


def _gradients(tensors, saved, needed, gradient, kind: str, geometry: Geometry) -> list[torch.Tensor | None]:
    """Return the gradients of ``tensors``, None where one is not needed."""
    x, depth_w, _, gamma, beta, expand_w, _, compress_w, _, res_w, _ = tensors
    kernel = depth_w.reshape(-1, 1, *geometry.kernel)
    expand, compress = expand_w.flatten(1), compress_w.flatten(1)
    matrix = None if res_w is None else res_w.flatten(1)
    inputs, upstream = samples_as_rows(x), samples_as_rows(gradient)
    dx, totals = [], None
    for index, (rows, g) in enumerate(zip(inputs, upstream, strict=True)):
        y, *statistics = saved[5 * index : 5 * index + 5]
        if kind == "up":
            g = _behind(g, geometry)
        parts = bottleneck.backward(
            y, g, bottleneck.Folded(*statistics), gamma, beta, expand, compress, wants_rows=needed[0] or needed[1]
        )
        found = {
            "gamma": parts.gamma, "beta": parts.beta, "expand": parts.expand, "expand bias": parts.expand_bias,
            "compress": parts.compress, "compress bias": parts.compress_bias,
        }  # fmt: skip
        dy = None if parts.rows is None else as_volume(parts.rows, geometry.inner)
        if needed[0]:
            dx.append(_input_gradient(dy, g, kernel, matrix, kind, geometry))
        if needed[1]:
            sample = as_volume(rows, geometry.entry)
            big, small = (dy, sample) if kind == "up" else (sample, dy)
            found["depthwise"] = weight_gradient(big, small, geometry.kernel, geometry.steps)
        if needed[9]:
            if kind == "down":
                found["residual"] = g.t() @ geometry.picked(rows, geometry.entry)
            else:
                found["residual"] = rows.t() @ geometry.picked(g, geometry.inner)
        totals = found if totals is None else {name: totals[name] + each for name, each in found.items()}
    image = None
    if dx:
        stacked = dx[0] if len(dx) == 1 else torch.stack(dx)
        image = geometry.image(stacked.view(x.shape[0], *geometry.entry, -1))
    weights = [
        # What is added before the norm is removed by it: the depthwise bias has gradient exactly zero.
        totals.get("depthwise"), torch.zeros_like(gamma), totals["gamma"], totals["beta"], totals["expand"],
        totals["expand bias"], totals["compress"], totals["compress bias"], totals.get("residual"),
        # The residual's bias is added wherever the compression's is, so their gradients are the same.
        totals["compress bias"].clone(),
    ]  # fmt: skip
    shaped = [w.view(t.shape) if n else None for w, t, n in zip(weights, tensors[1:], needed[1:], strict=True)]
    return [image, *shaped]


def _behind(rows: torch.Tensor, geometry: Geometry) -> torch.Tensor:
    """Return the rows of an up block's gradient behind the front planes of zeros, which are constant."""
    inner = geometry.behind(rows.view(*geometry.exit, -1))
    copy = recycled.empty(tuple(inner.shape), rows)
    return copy.copy_(inner).flatten(0, -2)


def _input_gradient(dy, g, kernel, matrix, kind: str, geometry: Geometry) -> torch.Tensor:
    """Return the rows of the input's gradient, from those of the depthwise convolution's and the block's result."""
    if kind == "same":
        return gather(dy, kernel.flip(2, 3, 4), geometry.steps, geometry.entry, plus=g)
    if kind == "down":
        rows = scatter(dy, kernel, geometry.steps, geometry.entry)
        geometry.even(rows.view(*geometry.entry, -1)).add_((g @ matrix).view(*geometry.inner, -1))
        return rows
    rows = gather(dy, kernel, geometry.steps, geometry.entry)
    return rows.addmm_(geometry.picked(g, geometry.inner), matrix.t())


def _differentiable(tensors, needed, gradient, kind: str, eps: float) -> list[torch.Tensor | None]:
    """Return the same as ``_gradients`` by plain operations, for who differentiates the gradient itself."""
    # Aliases have no path to each other, so each gradient is that of the block alone.
    aliases = [None if each is None else each.view_as(each) for each in tensors]
    x, depth_w, depth_b, gamma, beta, expand_w, expand_b, compress_w, compress_b, res_w, res_b = aliases
    volume = x.dim() == 5
    convolve = F.conv3d if volume else F.conv2d
    spread = F.conv_transpose3d if volume else F.conv_transpose2d
    pad, groups, step = depth_w.shape[-1] // 2, depth_w.shape[0], 1 if kind == "same" else 2
    depthwise = (spread if kind == "up" else convolve)(x, depth_w, depth_b, step, pad, groups=groups)
    normed = F.group_norm(depthwise, groups, gamma, beta, eps)
    out = convolve(F.gelu(convolve(normed, expand_w, expand_b)), compress_w, compress_b)
    out = out + (x if kind == "same" else (spread if kind == "up" else convolve)(x, res_w, res_b, step))
    if kind == "up":
        out = F.pad(out, (1, 0) * (x.dim() - 2))
    found = iter(torch.autograd.grad(
        out, [each for each, n in zip(aliases, needed, strict=True) if n], gradient, create_graph=True
    ))  # fmt: skip
    return [next(found) if n else None for n in needed]
