"""Adding windows up with nnU-Net's own arithmetic, for models that are to answer exactly as they did there.

Version 2 averages logits and keeps weights, sums and result in half precision. Far from every window's middle the
weights are among the smallest numbers that half precision has, so near the edges of a volume its result differs from
that of exact arithmetic by up to a third in probability (measured in ``docs/importing.md``); float32 is our default.

Version 1 averages probabilities in float32, and weights windows only if there are several.
"""

from __future__ import annotations

import numpy as np
import torch

from ..images.nnunet.resampling import ndimage
from .tiling import Tiling

_V2_MAXIMUM = 10.0  # of the weights; it lifts them where half precision ends
_DEVIATION = 1 / 8  # of the window's extent


class Float16Accumulator:
    """Weighted mean of logits in half precision, step by step as ``nnUNetPredictor`` (nnU-Net v2) takes it.

    Args:
        tiling: The windows; they must be added in its order, because half precision depends on it.
        outputs: R, the network's outputs.
        device: Where the sums are kept.
    """

    def __init__(self, tiling: Tiling, outputs: int, device: str = "cpu"):
        self._tiling = tiling
        self._weights = gaussian(tiling.patch, _V2_MAXIMUM, torch.float16).to(device)
        self._sums = torch.zeros((outputs, *tiling.padded), dtype=torch.float16, device=device)
        self._summed_weights = torch.zeros(tiling.padded, dtype=torch.float16, device=device)
        self._total: torch.Tensor | None = None
        self._members = 0

    def transform(self, logits: torch.Tensor) -> torch.Tensor:
        """Return ``logits``: version 2 averages them themselves."""
        return logits

    def add(self, outputs: torch.Tensor, start: tuple[int, int, int]) -> None:
        """Add one window's logits ``(R, d, h, w)``, float32."""
        window = self._tiling.window(start)
        self._sums[(slice(None), *window)] += outputs.to(self._sums.device) * self._weights
        self._summed_weights[window] += self._weights

    def end_member(self) -> None:
        """Divide by the weights; the members' results are summed up in half precision too."""
        mean = self._sums.div_(self._summed_weights)
        self._total = mean if self._total is None else self._total.add_(mean)
        self._members += 1
        self._sums = torch.zeros_like(mean)
        self._summed_weights = torch.zeros_like(self._summed_weights)

    def result(self) -> torch.Tensor:
        """Return mean logits ``(R, D, H, W)``: float32 that hold half-precision values."""
        mean = self._total.div_(self._members) if self._members > 1 else self._total
        return mean[(slice(None), *self._tiling.inside)].float().cpu()


class SoftmaxAccumulator:
    """Weighted mean of softmax probabilities in float32, as nnU-Net v1 takes it.

    Args:
        tiling: The windows.
        outputs: R, the network's outputs.
        device: Where the sums are kept.
    """

    def __init__(self, tiling: Tiling, outputs: int, device: str = "cpu"):
        self._tiling = tiling
        several = len(tiling.starts) > 1
        weights = gaussian(tiling.patch, 1.0, torch.float32) if several else torch.ones(tiling.patch)
        self._weights = weights.to(device)
        self._sums = torch.zeros((outputs, *tiling.padded), device=device)
        self._summed_weights = torch.zeros(tiling.padded, device=device)
        self._total: torch.Tensor | None = None
        self._members = 0

    def transform(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities ``(N, R, d, h, w)``: version 1 averages these."""
        return torch.softmax(logits, dim=1)

    def add(self, outputs: torch.Tensor, start: tuple[int, int, int]) -> None:
        """Add one window's probabilities ``(R, d, h, w)``."""
        window = self._tiling.window(start)
        self._sums[(slice(None), *window)] += outputs.to(self._sums.device) * self._weights
        self._summed_weights[window] += self._weights

    def end_member(self) -> None:
        """Divide by the weights; members count alike."""
        mean = self._sums.div_(self._summed_weights)
        self._total = mean if self._total is None else self._total.add_(mean)
        self._members += 1
        self._sums = torch.zeros_like(mean)
        self._summed_weights = torch.zeros_like(self._summed_weights)

    def result(self) -> torch.Tensor:
        """Return mean probabilities, float32, ``(R, D, H, W)``."""
        return self._total.div_(self._members)[(slice(None), *self._tiling.inside)].cpu()


def gaussian(patch: tuple[int, int, int], maximum: float, dtype: torch.dtype) -> torch.Tensor:
    """Return nnU-Net's weights of a window's voxels, shape ``patch``, with the digits that it has itself.

    It blurs a single voxel, which cuts the bell off at four deviations; what is 0 then, or in ``dtype``, becomes the
    smallest other weight.
    """
    # A network of slices has no third axis there; here it has one of extent 1.
    extents = [extent for extent in patch if extent > 1] or [1]
    point = np.zeros(extents)
    point[tuple(extent // 2 for extent in extents)] = 1
    bell = ndimage().gaussian_filter(point, [extent * _DEVIATION for extent in extents], 0, mode="constant", cval=0)
    weights = torch.from_numpy(bell / (bell.max() / maximum)).to(dtype).reshape(patch)
    weights[weights == 0] = weights[weights != 0].min()
    return weights
