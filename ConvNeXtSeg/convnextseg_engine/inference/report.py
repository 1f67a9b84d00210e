"""The report of one segmentation: what ran, how long it took, what it found.

It names no file, folder, patient or computer, so that it can be handed on.
"""

from __future__ import annotations

from typing import Any

from .. import __version__
from .segment import Segmentation

FORMAT = 1


def report(segmentation: Segmentation, more_seconds: dict[str, float] | None = None) -> dict[str, Any]:
    """Return the JSON-ready report.

    Args:
        segmentation: The result.
        more_seconds: Time of stages around it, such as read, load and write.
    """
    contract, grid = segmentation.contract, segmentation.grid
    seconds = (more_seconds or {}) | segmentation.seconds
    return {
        "format": FORMAT,
        "engine": __version__,
        "model": dict(segmentation.model),
        "device": segmentation.device,
        "backend": segmentation.backend,
        "plan": segmentation.plan,
        "reasons": list(segmentation.reasons),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()}
        | {"total": round(sum(seconds.values()), 3)},
        "channels": {"used": list(segmentation.present), "missing": list(segmentation.missing)},
        "grid": {"size": list(grid.size), "spacing_mm": list(grid.spacing), "voxel_ml": grid.voxel_ml},
        "labels": [
            {"name": label.name, "value": label.value, "volume_ml": round(segmentation.volumes_ml[label.name], 4)}
            for label in contract.labels
        ],
        "regions": [
            {"name": region.name, "volume_ml": round(segmentation.volumes_ml[region.name], 4)}
            for region in contract.regions
        ],
        "warnings": list(segmentation.warnings),
    } | _confidence(segmentation)


def _confidence(segmentation: Segmentation) -> dict[str, Any]:
    """Return the entries about probabilities and uncertainty, if there are any."""
    told: dict[str, Any] = {}
    if segmentation.probabilities is not None:
        told["probabilities"] = {
            "calibrated": bool(segmentation.temperatures), "temperatures": dict(segmentation.temperatures),
        }  # fmt: skip
    if segmentation.uncertainty is not None:
        told["uncertainty"] = segmentation.uncertainty.to_dict()
    return told
