"""Images seen as rows: ``(N, C, D, H, W)`` in channels-last memory is, for each sample, a matrix of voxels × channels.

A 2D image is a volume of one plane.
"""

from __future__ import annotations

import torch


def samples_as_rows(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` ``(N, C, …)`` as ``(N, voxels, C)``: a view if ``x`` is channels-last, a copy otherwise."""
    return x.movedim(1, -1).contiguous().view(x.shape[0], -1, x.shape[1])


def as_rows(x: torch.Tensor) -> torch.Tensor:
    """Return a volume ``(1, C, D, H, W)`` as ``(D·H·W, C)``: a view if it is channels-last."""
    return samples_as_rows(x)[0]


def as_volume(rows: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Return ``rows`` ``(D·H·W, C)`` as a channels-last view ``(1, C, D, H, W)``; ``shape`` is ``(D, H, W)``."""
    # Indexing with None instead of view() would give a batch stride that silently loses channels-last.
    return rows.view(1, *shape, rows.shape[1]).permute(0, 4, 1, 2, 3)
