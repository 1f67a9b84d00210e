"""The extents of a block's tensors, for volumes and for 2D images seen as volumes of one plane."""

from __future__ import annotations

import torch

from .depthwise import Triple, gathered_shape


class Geometry:
    """Extents ``(D, H, W)`` of a block.

    Args:
        x: The block's input ``(N, C, D, H, W)`` or ``(N, C, H, W)``.
        kernel: Extent of the depthwise kernel on each spatial axis of ``x``.
        kind: ``"same"``, ``"down"`` or ``"up"``.

    Attributes:
        entry: Of the input.
        inner: Of the depthwise convolution's result.
        exit: Of the block's result; an up block has one plane of zeros in front, so it is one more than ``inner``.
        kernel: Of the depthwise kernel.
        steps: Strides of the depthwise convolution.
    """

    def __init__(self, x: torch.Tensor, kernel: int, kind: str):
        flat = x.dim() == 4
        self.entry: Triple = (1, *x.shape[2:])[-3:]
        self.kernel: Triple = (1 if flat else kernel, kernel, kernel)
        step = 1 if kind == "same" else 2
        self.steps: Triple = (1 if flat else step, step, step)
        if kind == "up":
            self.inner: Triple = tuple(s * (n - 1) + 1 for n, s in zip(self.entry, self.steps, strict=True))
            self.exit: Triple = tuple(n + s - 1 for n, s in zip(self.inner, self.steps, strict=True))
        else:
            self.inner = self.exit = gathered_shape(self.entry, self.kernel, self.steps)
        self._flat = flat

    def even(self, grid: torch.Tensor) -> torch.Tensor:
        """Return the view of ``grid`` ``(…, D, H, W, C)`` at the places that stride-2 residuals read or write."""
        return grid[..., :: self.steps[0], :: self.steps[1], :: self.steps[2], :]

    def picked(self, rows: torch.Tensor, shape: Triple) -> torch.Tensor:
        """Return the rows at the even places of a grid of extents ``shape``."""
        return self.even(rows.view(*shape, -1)).reshape(-1, rows.shape[1])

    def behind(self, grid: torch.Tensor) -> torch.Tensor:
        """Return the view of an up block's result ``(…, D, H, W, C)`` behind its front planes of zeros."""
        return grid[..., self.steps[0] - 1 :, self.steps[1] - 1 :, self.steps[2] - 1 :, :]

    def clear_front(self, grid: torch.Tensor) -> None:
        """Write the front planes of zeros of an up block's result ``(…, D, H, W, C)``."""
        grid[..., : self.steps[0] - 1, :, :, :] = 0
        grid[..., : self.steps[1] - 1, :, :] = 0
        grid[..., : self.steps[2] - 1, :] = 0

    def image(self, grid: torch.Tensor) -> torch.Tensor:
        """Return ``grid`` ``(N, D, H, W, C)`` as the block's kind of image, a channels-last view."""
        return (grid.squeeze(1) if self._flat else grid).movedim(-1, 1)
