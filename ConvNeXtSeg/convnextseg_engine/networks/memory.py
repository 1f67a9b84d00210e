"""How much memory a network needs in inference, from measured figures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_BACKENDS = ("torch", "openvino")
# Where nothing was measured: above the measured figures of every network of the registry at width 32, so that a plan
# errs towards the leaner rung (a test compares).
_UNMEASURED_FIXED, _UNMEASURED_PER_VOXEL = 1_000_000_000, 8_000.0
_USUAL_WIDTH = 32


@dataclass(frozen=True)
class MemoryCoefficients:
    """Peak memory of inference beyond the interpreter and its libraries.

    Attributes:
        fixed_bytes: The network itself: weights in all the layouts that the backend keeps, and its code.
        per_voxel: Bytes for each voxel of the windows that are computed at a time.
        measured: False where the figures are a cautious guess.
    """

    fixed_bytes: int
    per_voxel: float
    measured: bool = True

    def peak(self, window: tuple[int, ...], batch: int = 1) -> int:
        """Return the peak in bytes for ``batch`` windows of these extents."""
        voxels = batch
        for extent in window:
            voxels *= extent
        return int(self.fixed_bytes + self.per_voxel * voxels)


def memory_of(network: dict[str, Any], backend: str = "torch") -> MemoryCoefficients:
    """Return the coefficients of a network in fp32 on a CPU.

    A network that differs from a measured one only in its width is scaled: activations grow with the width, weights
    with its square. A graphics processor's caching allocator keeps about the same, so the figures serve there too.

    Args:
        network: As :func:`~convnextseg_engine.networks.registry.build` takes it.
        backend: ``"torch"`` or ``"openvino"``.
    """
    if backend not in _BACKENDS:
        raise ValueError(f"no backend is called {backend!r}")
    width = network.get("width", _USUAL_WIDTH)
    if not isinstance(width, int):
        width = _USUAL_WIDTH
    for row in _measured():
        same = all(row["network"].get(key) == value for key, value in network.items() if key != "width")
        if same and row["network"]["name"] == network.get("name") and backend in row["memory"]:
            scale = width / row["network"].get("width", width)
            figures = row["memory"][backend]
            # A wider network's activations grow with its width; a narrower one's do not fall all the way, because
            # the window itself and the logits stay.
            return MemoryCoefficients(int(figures["fixed_bytes"] * max(scale, scale**2)), figures["per_voxel"] * scale)
    scale = max(1.0, width / _USUAL_WIDTH)
    return MemoryCoefficients(int(_UNMEASURED_FIXED * scale**2), _UNMEASURED_PER_VOXEL * scale, measured=False)


@cache
def _measured() -> tuple[dict[str, Any], ...]:
    file = resources.files("convnextseg_engine.data") / "networks" / "memory.json"
    return tuple(json.loads(file.read_text(encoding="utf-8"))["networks"])
