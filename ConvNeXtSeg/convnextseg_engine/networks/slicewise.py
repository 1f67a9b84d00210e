"""A 2D network on volumes, one slice after the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

# Slices computed at a time outside training: enough to fill a processor's cores, few enough for its memory.
_AT_A_TIME = 16


def slicing_axis(patch: tuple[int, int, int]) -> int:
    """Return the axis, 0 to 2 for D, H, W, along which a 2D network's window is one voxel thick (D if several are).

    Raises:
        ValueError: If no extent is 1.
    """
    if 1 not in patch:
        raise ValueError(f"a 2D network's window is one voxel thick along one axis, which {patch} is not")
    return patch.index(1)


class SliceWise(nn.Module):
    """Makes a network of slices one of volumes.

    Its weights keep the names that they have in the 2D network: ``state_dict`` and ``load_state_dict`` are those of
    the network inside, so that a checkpoint does not depend on how it is used.

    Args:
        network: Maps slices ``(N, C, A, B)`` to logits ``(N, R, A, B)``, or a list of logits (deep supervision).
        axis: Along which the volume is sliced: 0, 1 or 2 for D, H, W. A and B are the two others, in their order.

    Raises:
        ValueError: If ``axis`` is none of 0, 1, 2.
    """

    def __init__(self, network: nn.Module, axis: int = 0):
        super().__init__()
        if axis not in (0, 1, 2):
            raise ValueError(f"a volume is sliced along axis 0, 1 or 2, not {axis!r}")
        self.network = network
        self.axis = axis

    @property
    def divisor(self) -> tuple[int, int, int]:
        """What D, H and W must be divisible by."""
        return self._in_plane(getattr(self.network, "divisor", 1))

    @property
    def norm_over_space(self) -> bool:
        """Whether a norm needs more than one pixel on the coarsest level."""
        return getattr(self.network, "norm_over_space", False)

    @property
    def smallest(self) -> tuple[int, int, int]:
        """The smallest D, H and W."""
        return self._in_plane(getattr(self.network, "smallest", 1))

    def _in_plane(self, value: int | tuple[int, int]) -> tuple[int, int, int]:
        within = iter((value, value) if isinstance(value, int) else value)
        return tuple(1 if axis == self.axis else next(within) for axis in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Map volumes ``(N, C, D, H, W)`` to logits ``(N, R, D, H, W)``.

        In training all slices are one batch, as batch normalisation needs it; otherwise a few at a time are computed.
        With deep supervision the coarser levels are coarser within the slices only.
        """
        number = x.shape[0]
        slices = x.movedim(self.axis + 2, 1).flatten(0, 1)
        parts = [slices] if self.training else slices.split(_AT_A_TIME)
        results = [self.network(part) for part in parts]
        if isinstance(results[0], torch.Tensor):
            return self._volumes(torch.cat(results), number)
        return [self._volumes(torch.cat(level), number) for level in zip(*results, strict=True)]

    def _volumes(self, slices: torch.Tensor, number: int) -> torch.Tensor:
        return slices.unflatten(0, (number, -1)).movedim(1, self.axis + 2)

    def to(self, *args: Any, **kwargs: Any) -> SliceWise:
        """Move or convert; channels-last of volumes means channels-last of slices."""
        if kwargs.get("memory_format") is torch.channels_last_3d:
            kwargs["memory_format"] = torch.channels_last
        return super().to(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the 2D network's own."""
        return self.network.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load the 2D network's own."""
        return self.network.load_state_dict(*args, **kwargs)
