"""What every case of a cohort is segmented with; the same on this computer and on a cluster's workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Settings:
    """How the cases of a cohort are segmented.

    Attributes:
        model: Path of the model's folder, absolute, where every worker sees it.
        weights: Checksum of its weights; a resumed cohort must have been begun with the same.
        device: See :func:`~convnextseg_engine.inference.device.choose_device`.
        backend: See :func:`~convnextseg_engine.inference.loaded.load`.
        ending: Format of the masks: ``.seg.nrrd``, ``.nii.gz`` or ``.nrrd``.
        preview: Also write a picture of each case.
        options: Arguments of :class:`~convnextseg_engine.inference.options.SegmentOptions`.
    """

    model: str
    weights: str
    device: str = "auto"
    backend: str = "auto"
    ending: str = ".seg.nrrd"
    preview: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content."""
        return asdict(self)

    def decides(self) -> dict[str, Any]:
        """Return what decides the masks; device and place may differ when a cohort is resumed elsewhere."""
        return {"weights": self.weights, "ending": self.ending, "options": self.options}
