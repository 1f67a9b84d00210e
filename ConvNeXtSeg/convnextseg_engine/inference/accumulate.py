"""Blending the outputs of overlapping windows into one array.

Which arithmetic is used is a property of the model: float32 for our own, and nnU-Net's (half precision in version 2,
averaged softmax in version 1) where an imported model is to answer exactly as it did there.
"""

from __future__ import annotations

from typing import Protocol

import torch

from ..errors import InputError
from .gaussian import axis_sums, window_weights
from .tiling import Tiling

ARITHMETICS = ("float32", "nnunet-v2", "nnunet-v1")


class Accumulator(Protocol):
    """Sums up windows; one for a whole run, all members of an ensemble included."""

    def transform(self, logits: torch.Tensor) -> torch.Tensor:
        """Turn one answer of a network, ``(N, R, d, h, w)``, into what is averaged over mirrored inputs."""
        ...

    def add(self, outputs: torch.Tensor, start: tuple[int, int, int]) -> None:
        """Add one window's outputs ``(R, d, h, w)``, averaged over mirrored inputs; windows come in tiling order."""
        ...

    def end_member(self) -> None:
        """Say that one member of the ensemble has seen every window; also called after the only one."""
        ...

    def result(self) -> torch.Tensor:
        """Return the average over windows and members without padding, float32 on the CPU, ``(R, D, H, W)``."""
        ...


class Float32Accumulator:
    """Weighted mean of logits in float32.

    Args:
        tiling: The windows.
        outputs: R, the network's outputs.
        device: Where the sums are kept.
    """

    def __init__(self, tiling: Tiling, outputs: int, device: str = "cpu"):
        self._tiling = tiling
        self._members = 0
        self._weights = window_weights(tiling.patch).to(device)
        self._sums = torch.zeros((outputs, *tiling.padded), device=device)

    def transform(self, logits: torch.Tensor) -> torch.Tensor:
        """Return ``logits``: here they are averaged themselves."""
        return logits

    def add(self, outputs: torch.Tensor, start: tuple[int, int, int]) -> None:
        """Add one window's logits ``(R, d, h, w)``."""
        place = self._sums[(slice(None), *self._tiling.window(start))]
        place.addcmul_(outputs.to(place.device, torch.float32), self._weights)

    def end_member(self) -> None:
        """Count a member; all add to the same sums."""
        self._members += 1

    def result(self) -> torch.Tensor:
        """Return mean logits, float32, ``(R, D, H, W)``; can be called once, because it works in place."""
        low_d, low_h, low_w = axis_sums(self._tiling)
        self._sums.div_(low_d[:, None, None].to(self._sums.device) * self._members)
        self._sums.div_((low_h[:, None] * low_w).to(self._sums.device))
        return self._sums[(slice(None), *self._tiling.inside)].cpu()


def accumulator_for(arithmetic: str, tiling: Tiling, outputs: int, device: str = "cpu") -> Accumulator:
    """Return the accumulator of an arithmetic.

    Args:
        arithmetic: One of :data:`ARITHMETICS`.
        tiling: The windows.
        outputs: The network's outputs.
        device: Where the sums are kept.

    Raises:
        InputError: If the arithmetic is unknown.
    """
    if arithmetic == "float32":
        return Float32Accumulator(tiling, outputs, device)
    if arithmetic in ARITHMETICS:
        from .nnunet_arithmetic import Float16Accumulator, SoftmaxAccumulator

        kind = Float16Accumulator if arithmetic == "nnunet-v2" else SoftmaxAccumulator
        return kind(tiling, outputs, device)
    raise InputError(
        f"The arithmetic “{arithmetic}” is not known.", remedy=f"Use {', '.join(ARITHMETICS)}.",
        code="unknown-arithmetic",
    )  # fmt: skip
