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
    """Return the coefficients of a network in fp32 on a CPU, with four channels in and four outputs.

    A network that differs from a measured one only in its width is scaled: activations grow with the width, weights
    with its square. For any other change the costliest measured network of the family stands in, and where there is
    none a cautious guess; both say so.

    Args:
        network: As :func:`~convnextseg_engine.networks.registry.build` takes it.
        backend: ``"torch"`` or ``"openvino"``.
    """
    if backend not in _BACKENDS:
        raise ValueError(f"no backend is called {backend!r}")
    rows = [row for row in _measured() if row["network"]["name"] == network.get("name") and backend in row]
    rows = [row for row in rows if row["network"].get("dim") == network.get("dim")]
    for row in rows:
        if _but_width(row["network"]) == _but_width(network):
            return _scaled(row, backend, network, measured=True)
    if rows:
        costliest = max(rows, key=lambda row: row[backend]["peak_bytes"])
        return _scaled(costliest, backend, network, measured=False)
    width = max(1.0, _width(network) / _USUAL_WIDTH)
    return MemoryCoefficients(int(_UNMEASURED_FIXED * width**2), _UNMEASURED_PER_VOXEL * width, measured=False)


def _but_width(network: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in network.items() if key != "width"}


def _width(network: dict[str, Any]) -> float:
    width = network.get("width")
    return width if isinstance(width, int) and width > 0 else _USUAL_WIDTH


def _scaled(row: dict[str, Any], backend: str, network: dict[str, Any], *, measured: bool) -> MemoryCoefficients:
    figures = row[backend]
    scale = _width(network) / _width(row["network"]) if "width" in network else 1.0
    # What a narrower network spares is not certain to be the weights, so its fixed part falls more slowly.
    fixed = figures["fixed_bytes"] * max(scale, scale**2)
    return MemoryCoefficients(int(fixed), figures["per_voxel"] * scale, measured)


@cache
def _measured() -> tuple[dict[str, Any], ...]:
    file = resources.files("convnextseg_engine.data") / "networks" / "measured.json"
    return tuple(json.loads(file.read_text(encoding="utf-8"))["rows"])
