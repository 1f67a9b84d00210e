"""Tensors seen as rows: ``(1, C, D, H, W)`` in channels-last memory is a matrix of voxels × channels."""

from __future__ import annotations

import torch


def as_rows(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` ``(1, C, D, H, W)``, channels-last, as a view ``(D·H·W, C)``."""
    return x[0].permute(1, 2, 3, 0).reshape(-1, x.shape[1])


def as_volume(rows: torch.Tensor, shape: tuple[int, ...] | torch.Size) -> torch.Tensor:
    """Return ``rows`` ``(D·H·W, C)`` as a channels-last view ``(1, C, D, H, W)``; ``shape`` is ``(D, H, W)``."""
    # Indexing with None instead of view() would give a batch stride that silently loses channels-last.
    return rows.view(1, *shape, rows.shape[1]).permute(0, 4, 1, 2, 3)
