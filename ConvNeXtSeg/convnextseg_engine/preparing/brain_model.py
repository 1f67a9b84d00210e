"""A brain mask by a model of the store: any model, imported ones too, whose labels have one named “brain”."""

from __future__ import annotations

import hashlib

import numpy as np

from ..errors import InputError
from ..images.study import Study
from ..models.checksums import SUMS
from ..models.folder import ModelFolder
from ..models.store import ModelStore
from ..progress import Reporter

_BRAIN = "brain"


def open_brain_model(spec: str) -> ModelFolder:
    """Open a model that finds the brain.

    Raises:
        InputError: If there is no such model, or none of its labels is called brain.
    """
    model = ModelStore().open(spec)
    if _brain_value(model) is None:
        labels = ", ".join(label.name for label in model.contract.labels)
        raise InputError(
            f"The model {model.spec} does not find the brain.",
            reason=f"Its labels are {labels}; none is called “brain”.",
            remedy="Choose a brain-extraction model, for example one imported with “convnextseg models import”.",
            code="no-brain-model",
        )
    return model


def model_fingerprint(model: ModelFolder) -> str:
    """Return a hash that changes with any file of the model."""
    return hashlib.sha256((model.path / SUMS).read_bytes()).hexdigest()


def chosen_channels(study: Study, model: ModelFolder) -> dict[str, str]:
    """Return the model's channel name to the study's channel that is given for it.

    A model of one channel that the study does not name, such as “MRI”, is given the reference.

    Raises:
        InputError: If the study has none of several channels.
    """
    known = {name: name for name in model.metadata.channels if name in study.channels}
    if known:
        return known
    if len(model.metadata.channels) == 1:
        return {model.metadata.channels[0]: study.reference}
    raise InputError(
        f"The brain model {model.spec} cannot be used for this study.",
        reason=f"It takes {', '.join(model.metadata.channels)}; the study has {', '.join(study.channels)}.",
        remedy="Choose another brain model, or give a brain mask.",
        code="no-known-channel",
    )


def brain_by_model(study: Study, model: ModelFolder, device: str, reporter: Reporter) -> np.ndarray:
    """Return the brain as booleans ``(D, H, W)`` on the grid of the study's reference channel."""
    from ..inference.loaded import load  # imports torch
    from ..inference.segment import segment

    given = chosen_channels(study, model)
    channels = {name: study.channels[source] for name, source in given.items()}
    # The mask must come back on the reference's voxels, whichever channels the model takes.
    reference = next((name for name, source in given.items() if source == study.reference), None)
    if reference is None:
        reference = next(iter(channels))
    result = segment(Study(channels, reference), load(model, device), reporter)
    inside = result.mask == _brain_value(model)
    if reference in given and given[reference] == study.reference:
        return inside
    from .brain_mask import mask_image, on_grid

    return on_grid(mask_image(inside, result.grid), study.reference_grid)


def _brain_value(model: ModelFolder) -> int | None:
    return next((label.value for label in model.contract.labels if label.name.strip().lower() == _BRAIN), None)
