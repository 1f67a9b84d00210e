"""What every case of a cohort is segmented with; the same on this computer and on a cluster's workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ..models.checksums import SUMS, sha256_of
from .preparation import CohortPreparation

if TYPE_CHECKING:
    from ..models.folder import ModelFolder


@dataclass(frozen=True)
class Settings:
    """How the cases of a cohort are segmented.

    Attributes:
        model: Path of the model's folder, absolute, where every worker sees it.
        content: :func:`content_of` the model; a resumed cohort must have been begun with the same.
        device: See :func:`~convnextseg_engine.inference.device.choose_device`.
        backend: See :func:`~convnextseg_engine.inference.loaded.load`.
        ending: Format of the masks: ``.seg.nrrd``, ``.nii.gz`` or ``.nrrd``.
        preview: Also write a picture of each case.
        options: Arguments of :class:`~convnextseg_engine.inference.options.SegmentOptions`.
        preparation: What is done to each case before.
    """

    model: str
    content: str
    device: str = "auto"
    backend: str = "auto"
    ending: str = ".seg.nrrd"
    preview: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    preparation: CohortPreparation = field(default_factory=CohortPreparation)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON-ready content."""
        return asdict(self)

    def decides(self) -> dict[str, Any]:
        """Return what decides the masks; device and place may differ when a cohort is resumed elsewhere."""
        return {
            "model": self.content,
            "ending": self.ending,
            "options": self.options,
            "preparation": self.preparation.decides(),
            "brain mask": self.preparation.masked,
        }


def content_of(model: ModelFolder) -> str:
    """Return a checksum over all files of a model: an ensemble is more than its first network's weights."""
    return sha256_of(model.path / SUMS)
