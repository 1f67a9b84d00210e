"""What a user may choose for one run, and what then holds; importable without torch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import InputError
from ..models.inference_settings import broken_rule
from ..models.metadata import Metadata

_USUAL_OVERLAP = 0.5  # as in nnU-Net
# Our recipes show networks the mirror image along W, which is left–right on the anatomical grid, and no other.
_MIRRORED_IN_TRAINING = (2,)
_WORDS = {
    "overlap": "The overlap", "arithmetic": "The arithmetic", "smallest_component_ml": "The smallest component",
}  # fmt: skip


@dataclass(frozen=True)
class SegmentOptions:
    """Wishes for one run; None means as the model's metadata says.

    Attributes:
        mirror: Whether each window is also seen mirrored and the answers averaged, which takes twice as long for each
            axis that is mirrored.
        overlap: Share of a window, 0 to 0.9, by which neighbours overlap.
        arithmetic: How windows are added up: float32, nnunet-v2 or nnunet-v1.
        smallest_component_ml: Islands below this volume in millilitres are left out; 0 leaves none out.
        keep_probabilities: Also return the regions' probabilities on the study's grid.
        uncertainty: Also say how sure the result is; the mask is the same.
        disagreement: With ``uncertainty``, also measure by how much windows, mirrored views and members disagree.
    """

    mirror: bool | None = None
    overlap: float | None = None
    arithmetic: str | None = None
    smallest_component_ml: float | None = None
    keep_probabilities: bool = False
    uncertainty: bool = False
    disagreement: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SegmentOptions:
        """Return the options that a message holds; raises :class:`InputError` for one that is unknown."""
        unknown = sorted(set(values) - {known.name for known in fields(cls)})
        if unknown:
            raise _bad(f"There is no option {', '.join(unknown)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return what differs from no wishes at all, as a message or a file holds it."""
        return {known.name: value for known in fields(self) if (value := getattr(self, known.name)) != known.default}


@dataclass(frozen=True)
class Settings:
    """What holds for one run.

    Attributes:
        overlap: Share of a window by which neighbours overlap.
        mirror_axes: Axes (0 = D, 1 = H, 2 = W) along which windows are mirrored.
        arithmetic: How windows are added up.
        smallest_component_ml: Islands below this volume are left out.
        temperatures: By region; empty if the model brings none.
        disagreement: Whether it is measured by how much windows, mirrored views and members disagree. nnU-Net's
            arithmetic is there to repeat what it computed, and it does not measure this.
    """

    overlap: float
    mirror_axes: tuple[int, ...]
    arithmetic: str
    smallest_component_ml: float
    temperatures: dict[str, float] = field(default_factory=dict)
    disagreement: bool = False


def settings_for(options: SegmentOptions, metadata: Metadata) -> Settings:
    """Return what holds for a run: the user's wishes, else what the model says, else the usual.

    Raises:
        InputError: If a wish is out of its range.
    """
    wishes = {
        name: value
        for name in ("overlap", "arithmetic", "smallest_component_ml")
        if (value := getattr(options, name)) is not None
    }
    for name, value in wishes.items():
        rule = broken_rule(name, value)
        if rule:
            raise _bad(f"{_WORDS[name]} is given as {value!r}; it must be {rule}")
    told = dict(metadata.inference)
    axes = tuple(told.get("mirror_axes", _MIRRORED_IN_TRAINING if options.mirror else ()))
    if options.mirror is False:
        axes = ()
    if options.mirror and not axes:
        raise InputError(
            f"The model {metadata.name} cannot use mirrored images.",
            reason="It was trained without: left and right, or up and down, mean something to it.",
            remedy="Run it without --mirror.",
            code="no-mirroring",
        )
    chosen = told | wishes
    arithmetic = chosen.get("arithmetic", "float32")
    return Settings(
        float(chosen.get("overlap", _USUAL_OVERLAP)),
        # A window of one voxel is its own mirror image.
        tuple(sorted(axis for axis in axes if metadata.patch[axis] > 1)),
        arithmetic,
        float(chosen.get("smallest_component_ml", 0.0)),
        dict(chosen.get("temperature", {})),
        options.uncertainty and options.disagreement and arithmetic == "float32",
    )


def _bad(problem: str) -> InputError:
    return InputError(
        "An option of this run cannot be used.", reason=f"{problem}.",
        remedy="Leave it out to run the model as it is meant, or correct it.", code="bad-option",
    )  # fmt: skip
