"""Norm → expansion → GELU → compression on rows (voxels × channels), in chunks, with recomputation in the backward.

The norm has one group per channel, so it is an affine map of each channel and folds into the expansion:
``W2'(y − μ) + b2'`` with ``W2' = W2·diag(γ/σ)`` and ``b2' = b2 + W2β``. The mean is subtracted from each chunk, not
folded too: where it is much larger than the deviation, ``W2'y − W2'μ`` would cancel most digits. The expanded
activation exists one chunk at a time.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch

from . import recycled

# Values of the expanded activation that one thread works on at once: 0.5 MB in fp32, so that a chunk's buffers stay in
# a core's own cache.
_CHUNK_VALUES = 1 << 17
# The kernel for statistics adds up row after row in fp32: over 64³ rows its variance was wrong by 2e-5, over these by
# 7e-8; parts are merged in double precision.
_STATISTICS_ROWS = 4096


@dataclass
class Folded:
    """The norm's statistics and the expansion with the norm folded in.

    Attributes:
        mean: Per channel ``(C,)``.
        rstd: Per channel ``(C,)``.
        weight: ``(C, H)``, so that ``(rows - mean) @ weight + bias`` are the expanded rows.
        bias: ``(H,)``.
    """

    mean: torch.Tensor
    rstd: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor


@dataclass
class Gradients:
    """Gradients of the bottleneck: of its rows (None where not wanted), the norm, the expansion and the compression."""

    rows: torch.Tensor | None
    gamma: torch.Tensor
    beta: torch.Tensor
    expand: torch.Tensor
    expand_bias: torch.Tensor
    compress: torch.Tensor
    compress_bias: torch.Tensor


def fold(rows: torch.Tensor, gamma: torch.Tensor, beta: torch.Tensor, eps: float, expand: torch.Tensor,
         expand_bias: torch.Tensor) -> Folded:  # fmt: skip
    """Return statistics of a sample's ``rows`` ``(V, C)`` and the folded expansion; ``expand`` is ``(H, C)``."""
    mean, variance = _statistics(rows)
    rstd = (variance + eps).rsqrt()
    return Folded(mean, rstd, (expand * (rstd * gamma)).t().contiguous(), torch.addmv(expand_bias, expand, beta))


def _statistics(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance over ``rows``, each ``(C,)``."""
    parts = rows.split(_STATISTICS_ROWS)
    found = [torch.ops.aten.batch_norm_update_stats(part, None, None, 0.0) for part in parts]
    means, variances = (torch.stack(each).double() for each in zip(*found, strict=True))
    counts = rows.new_tensor([len(part) for part in parts], dtype=torch.float64)[:, None]
    mean = (counts * means).sum(0) / len(rows)
    variance = (counts * (variances + (means - mean).square())).sum(0) / len(rows)
    return mean.to(rows.dtype), variance.to(rows.dtype)


def forward(rows: torch.Tensor, folded: Folded, compress: torch.Tensor, compress_bias: torch.Tensor,
            residual: torch.Tensor | None = None, result: torch.Tensor | None = None) -> torch.Tensor:  # fmt: skip
    """Return ``residual + GELU((rows − μ)·W2' + b2')·W3ᵀ + b3`` ``(V, C_out)``; ``compress`` is ``(C_out, H)``."""
    voxels, hidden = rows.shape[0], folded.weight.shape[1]
    if result is None:
        result = recycled.empty((voxels, compress.shape[0]), rows)
    most = _chunk_rows(voxels, hidden)
    h, x = rows.new_empty((most, hidden)), rows.new_empty((most, rows.shape[1]))
    transposed = compress.t()
    added = itertools.repeat(None) if residual is None else residual.split(most)
    for y, plus, out in zip(rows.split(most), added, result.split(most), strict=False):
        if len(y) < len(h):
            h, x = h[: len(y)], x[: len(y)]
        torch.sub(y, folded.mean, out=x)
        torch.addmm(folded.bias, x, folded.weight, out=h)
        torch.ops.aten.gelu_(h)
        if plus is None:
            torch.addmm(compress_bias, h, transposed, out=out)
        else:
            torch.add(plus, compress_bias, out=out)
            out.addmm_(h, transposed)
    return result


def backward(rows: torch.Tensor, gradient: torch.Tensor, folded: Folded, gamma: torch.Tensor, beta: torch.Tensor,
             expand: torch.Tensor, compress: torch.Tensor, *, wants_rows: bool = True) -> Gradients:  # fmt: skip
    """Return all gradients, that of the rows if ``wants_rows``, from the gradient ``(V, C_out)`` of the result.

    With A the gradient before the GELU and x̂ the normalised rows, ``T = Aᵀx̂`` and ``S = ΣA`` hold everything:
    ``dW2 = T·diag(γ) + S βᵀ``, ``db2 = S``, ``dγ = Σ(W2∘T)``, ``dβ = W2ᵀS``; the norm's own gradient is a per-channel
    affine correction of ``A·W2'``.
    """
    voxels, channels, hidden, outputs = rows.shape[0], rows.shape[1], expand.shape[0], compress.shape[0]
    most = _chunk_rows(voxels, hidden)
    h, a, d, x = (rows.new_empty((most, n)) for n in (hidden, hidden, hidden, channels))
    t, s = rows.new_zeros((hidden, channels)), rows.new_zeros(hidden)
    d_compress, d_bias = rows.new_zeros((outputs, hidden)), rows.new_zeros(outputs)
    scale = folded.rstd * gamma
    scaled = (expand * scale).contiguous()
    compress = compress.contiguous()
    d_rows = recycled.empty(tuple(rows.shape), rows) if wants_rows else None
    targets = d_rows.split(most) if wants_rows else itertools.repeat(None)
    for y, g, target in zip(rows.split(most), gradient.split(most), targets, strict=False):
        if len(y) < len(h):
            h, a, d, x = (each[: len(y)] for each in (h, a, d, x))
        torch.sub(y, folded.mean, out=x)
        torch.addmm(folded.bias, x, folded.weight, out=h)
        torch.ops.aten.gelu.out(h, out=a)
        d_compress.addmm_(g.t(), a)
        d_bias += g.sum(0)
        torch.mm(g, compress, out=d)
        torch.ops.aten.gelu_backward.grad_input(d, h, grad_input=d)
        t.addmm_(d.t(), x)
        s += d.sum(0)
        if target is not None:
            torch.mm(d, scaled, out=target)
    t *= folded.rstd
    d_gamma, d_beta = (expand * t).sum(0), expand.t() @ s
    if wants_rows:
        slope_correction = -(scale * folded.rstd * d_gamma / voxels)
        constant = -(scale * d_beta / voxels)
        x = rows.new_empty((most, channels))
        for y, target in zip(rows.split(most), targets, strict=True):
            x = x[: len(y)]
            torch.sub(y, folded.mean, out=x)
            torch.addcmul(constant, x, slope_correction, out=x)
            target.add_(x)
    return Gradients(d_rows, d_gamma, d_beta, t * gamma + torch.outer(s, beta), s, d_compress, d_bias)


def _chunk_rows(voxels: int, hidden: int) -> int:
    return min(voxels, max(64, _CHUNK_VALUES * torch.get_num_threads() // hidden))
