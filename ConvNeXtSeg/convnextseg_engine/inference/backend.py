"""What runs a network; see ``torch_backend.py`` and ``openvino_backend.py``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

from ..networks.extents import Extents


class Backend(Protocol):
    """Something that runs a network.

    Attributes:
        name: ``"torch"`` or ``"openvino"``.
        device: Where it runs.
        precision: What it computes in, for example ``"fp32"``.
        max_window_batch: The most windows at a time, or None.
        fixed_patch: The only window it takes, (D, H, W), or None.
        holds_memory: Whether it keeps its working memory between windows, and has it now.
    """

    name: str
    device: str
    precision: str
    max_window_batch: int | None
    fixed_patch: Extents | None
    holds_memory: bool

    def in_precision(self, precision: str) -> Backend:
        """Return a backend with the same weights in memory that computes in another precision."""
        ...

    def release(self) -> None:
        """Give back working memory that is kept between windows; the next window takes it again."""
        ...

    def logits(self, windows: torch.Tensor, check: Callable[[], None]) -> torch.Tensor:
        """Map windows ``(N, C, D, H, W)`` to logits ``(N, R, D, H, W)``, calling ``check`` at least once a second.

        The windows come on the CPU; the logits may stay on the backend's device.
        """
        ...
