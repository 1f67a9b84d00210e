"""How much memory a network needs in inference, from measured figures, or from what its activations take on paper."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Any

_BACKENDS = ("torch", "openvino")
# Measured working memory is at most so many times the activations that are counted on paper, and PyTorch packs weights
# anew on top: libraries copy tensors into other layouts, OpenVINO also fuses operations (a test compares with every
# measured network).
_OVER_ACTIVATIONS = {"torch": 2.0, "openvino": 1.1}
_PACKED_WEIGHTS = {"torch": 1, "openvino": 0}
# Above what a relative's figures say.
_MARGIN = 1.25
# And the network itself so many times its weights, with this much code.
_OVER_WEIGHTS, _CODE = 4, 100_000_000
# Where even that cannot be counted: above the figures of every network of the registry at width 32.
_UNKNOWN_FIXED, _UNKNOWN_PER_VOXEL = 1_000_000_000, 8_000.0
_USUAL_WIDTH = 32
_CHANNELS = 4  # in, and as many outputs: of the measured networks, and for others
_FLOAT = 4  # bytes


@dataclass(frozen=True)
class MemoryCoefficients:
    """Peak memory of inference beyond the interpreter and its libraries.

    Attributes:
        fixed_bytes: The network itself: weights in all the layouts that the backend keeps, and its code.
        per_voxel: Bytes for each voxel of the windows that are computed at a time; with ``points`` beyond the last.
        measured: False where the figures are a cautious guess.
        points: ``(voxels, bytes)`` of the working memory where it was measured, in ascending order. It is no straight
            line: a library computes small windows in other ways than large ones, and packs weights anew in each run.
    """

    fixed_bytes: int
    per_voxel: float
    measured: bool = True
    points: tuple[tuple[int, int], ...] = ()

    def working(self, window: tuple[int, ...], batch: int = 1) -> int:
        """Return what a run takes beyond the network itself, in bytes, for ``batch`` windows of these extents."""
        voxels = batch * math.prod(window)
        if not self.points:
            return int(self.per_voxel * voxels)
        first, last = self.points[0], self.points[-1]
        if voxels >= last[0]:
            return int(last[1] + self.per_voxel * (voxels - last[0]))
        if voxels <= first[0]:
            proportional = first[1] * voxels / first[0]
            if len(self.points) == 1:
                return int(proportional)
            second = self.points[1]
            slope = (second[1] - first[1]) / (second[0] - first[0])
            return int(max(proportional, first[1] - slope * (first[0] - voxels)))
        low, high = next(pair for pair in pairwise(self.points) if voxels <= pair[1][0])
        return int(low[1] + (high[1] - low[1]) * (voxels - low[0]) / (high[0] - low[0]))

    def peak(self, window: tuple[int, ...], batch: int = 1) -> int:
        """Return the peak in bytes for ``batch`` windows of these extents."""
        return self.fixed_bytes + self.working(window, batch)


def memory_of(network: dict[str, Any], backend: str = "torch") -> MemoryCoefficients:
    """Return the coefficients of a network in fp32 on a CPU, with four channels in and four outputs.

    A network that differs from a measured one only in its width is scaled: activations grow with the width, weights
    with its square. For any other the activations are counted on paper; what libraries take beyond them is told by the
    measured network of the family that is most like it, and where there is none, as much as any network needs is put on
    top.

    Args:
        network: As :func:`~convnextseg_engine.networks.registry.build` takes it.
        backend: ``"torch"`` or ``"openvino"``.
    """
    if backend not in _BACKENDS:
        raise ValueError(f"no backend is called {backend!r}")
    for row in _measured():
        if "working" in row.get(backend, {}) and _but_width(row["network"]) == _but_width(network):
            return _scaled(row, backend, network)
    return _counted(json.dumps(network, sort_keys=True, default=str), backend)


def _but_width(network: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in network.items() if key != "width"}


def _width(network: dict[str, Any]) -> float:
    width = network.get("width")
    return width if isinstance(width, int) and width > 0 else _USUAL_WIDTH


def _scaled(row: dict[str, Any], backend: str, network: dict[str, Any]) -> MemoryCoefficients:
    figures = row[backend]
    scale = _width(network) / _width(row["network"]) if "width" in network else 1.0
    points = tuple((voxels, int(_wider(taken, voxels, scale))) for voxels, taken in figures["working"])
    # What a narrower network spares is not certain to be the weights, so its fixed part falls more slowly.
    fixed = int(figures["fixed_bytes"] * max(scale, scale**2))
    return MemoryCoefficients(fixed, _slope(points), points=points)


def _wider(taken: float, voxels: int, scale: float) -> float:
    """Scale working memory, but not the image and the logits in it."""
    ends = min(taken, 2 * _CHANNELS * _FLOAT * voxels)
    return ends + (taken - ends) * scale


def _slope(points: tuple[tuple[int, int], ...]) -> float:
    """Return the bytes a voxel beyond the last point, where what is fixed counts little."""
    if len(points) == 1:
        return points[0][1] / points[0][0]
    (few, less), (many, more) = points[-2:]
    return max(0.0, (more - less) / (many - few))


@cache
def _counted(described: str, backend: str) -> MemoryCoefficients:
    network = json.loads(described)
    # The registry lists networks with their memory, and what counts on paper builds them.
    from ..errors import InputError
    from .cost import activation_bytes, parameters, usual_window

    try:
        window = usual_window(network)
        per_voxel = activation_bytes(network, _CHANNELS, _CHANNELS, window) / math.prod(window)
        weights = _FLOAT * parameters(network, _CHANNELS, _CHANNELS)
    except (InputError, NotImplementedError, RuntimeError):  # no such network, or one that cannot run on paper
        width = max(1.0, _width(network) / _USUAL_WIDTH)
        return MemoryCoefficients(int(_UNKNOWN_FIXED * width**2), _UNKNOWN_PER_VOXEL * width, measured=False)
    relative = _most_alike(network, backend)
    if relative is None:
        per_voxel *= _OVER_ACTIVATIONS[backend]
        packed = _PACKED_WEIGHTS[backend] * weights
        points = tuple((n, int(packed + per_voxel * n)) for n in (math.prod(window), 4 * math.prod(window)))
        return MemoryCoefficients(_OVER_WEIGHTS * weights + _CODE, per_voxel, False, points)
    scale = _MARGIN * per_voxel * math.prod(relative["patch"]) / relative["activation_bytes"]
    points = tuple((voxels, int(taken * scale)) for voxels, taken in relative[backend]["working"])
    fixed = int(relative[backend]["fixed_bytes"] * max(1.0, weights / (_FLOAT * relative["parameters"])))
    return MemoryCoefficients(fixed, _slope(points), False, points)


def _most_alike(network: dict[str, Any], backend: str) -> dict[str, Any] | None:
    """Return the measured network of the same family and dimension that shares most arguments; None if there is none.

    Of several, the one that takes most beyond its activations.
    """
    rows = [row for row in _measured() if "working" in row.get(backend, {}) and "activation_bytes" in row]
    rows = [row for row in rows if all(row["network"].get(key) == network.get(key) for key in ("name", "dim"))]

    def likeness(row: dict[str, Any]) -> tuple[int, float]:
        shared = sum(network.get(key) == value for key, value in row["network"].items())
        return shared, row[backend]["working"][-1][1] / row["activation_bytes"]

    return max(rows, key=likeness, default=None)


@cache
def _measured() -> tuple[dict[str, Any], ...]:
    file = resources.files("convnextseg_engine.data") / "networks" / "measured.json"
    return tuple(json.loads(file.read_text(encoding="utf-8"))["rows"])
