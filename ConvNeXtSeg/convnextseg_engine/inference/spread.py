"""By how much overlapping windows, mirrored views and the members of an ensemble disagree about a voxel."""

from __future__ import annotations

import torch

from .gaussian import axis_sums, window_weights
from .tiling import Tiling


class Spread:
    """Weighted standard deviation of each region's probability over every answer that a voxel got.

    Kept as two sums, of p and p², in float32, with the weights that the answers are averaged with. Their rounding lets
    voxels on which all agree have up to about 0.001. A window that is left out because nothing is there counts as
    probability 0, which sums need not be told.

    Args:
        tiling: The windows.
        regions: R, how many regions there are.
        exclusive: Whether outputs exclude each other (softmax, background first) or not (sigmoid).
        answers: How often each window is answered: mirrored views times members.
        device: Where the sums are kept.
    """

    def __init__(self, tiling: Tiling, regions: int, *, exclusive: bool, answers: int, device: str = "cpu"):
        self._tiling, self._exclusive, self._answers = tiling, exclusive, answers
        self._weights = window_weights(tiling.patch).to(device)
        self._sums = torch.zeros((regions, *tiling.padded), device=device)
        self._squares = torch.zeros((regions, *tiling.padded), device=device)

    def add(self, logits: torch.Tensor, start: tuple[int, int, int]) -> None:
        """Add what one member says about one view of a window, mirrored back, ``(network outputs, d, h, w)``."""
        logits = logits.to(self._sums.device, torch.float32)
        probabilities = logits.softmax(0)[1:] if self._exclusive else logits.sigmoid()
        place = (slice(None), *self._tiling.window(start))
        weighted = probabilities * self._weights
        self._sums[place].add_(weighted)
        self._squares[place].add_(weighted.mul_(probabilities))

    def result(self) -> torch.Tensor:
        """Return the largest deviation of any region, 0..0.5, without padding, float32 on the CPU, ``(D, H, W)``.

        Can be called once, because it works in place.
        """
        weight_d, weight_h, weight_w = (sums.to(self._sums.device) for sums in axis_sums(self._tiling))
        largest = torch.zeros(self._tiling.padded, device=self._sums.device)
        total = weight_d[:, None, None] * (weight_h[:, None] * weight_w) * self._answers
        for mean, square in zip(self._sums, self._squares, strict=True):
            mean.div_(total)
            torch.maximum(largest, square.div_(total).sub_(mean.square_()), out=largest)
        return largest.sqrt_()[self._tiling.inside].cpu()
