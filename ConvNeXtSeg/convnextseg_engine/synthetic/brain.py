"""A synthetic multi-sequence study of a brain with a tumour, and its truth.

It stands in for patients where none may be used: demonstrations without network, tests, pre-training, and as a named
proxy when a fine-tuned model is checked for what it may have forgotten. See docs/synthetic-brains.md.
"""

from __future__ import annotations

import importlib.resources
import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..errors import InputError
from ..images.grid import Grid
from ..images.study import Study
from ..labels.contract import LabelContract
from .anatomy import grow_brain
from .chance import Chance
from .contrast import scan
from .tumour import place_tumour, plan_tumour

_SMALLEST = 24  # voxels along an axis, below which tissues are thinner than a voxel
_TEXTURE_MM = 4.0


@dataclass(frozen=True)
class SyntheticCase:
    """A study with its truth.

    Attributes:
        study: Channels T1, T1c, T2 and FLAIR (int16, 0 outside the brain), reference T1c, one LPS axis-aligned grid.
        mask: Labels by the contract ``brain-tumour``, uint8, shape ``(D, H, W)``.
        seed: The seed that made it.
    """

    study: Study
    mask: np.ndarray
    seed: int

    @property
    def grid(self) -> Grid:
        """Grid of the study and of the mask."""
        return self.study.reference_grid


@cache
def brain_tumour_contract() -> LabelContract:
    """Return the label contract of the synthetic masks (core 1, edema 2, enhancing 4)."""
    resource = importlib.resources.files("convnextseg_engine.data") / "contracts" / "brain-tumour.json"
    return LabelContract.from_dict(json.loads(resource.read_text(encoding="utf-8")))


def synthetic_case(
    seed: int,
    *,
    size: tuple[int, int, int] = (96, 112, 96),
    spacing: tuple[float, float, float] = (1.5, 1.5, 1.5),
) -> SyntheticCase:
    """Make the synthetic case of ``seed``; the same arguments give the same voxels on every machine.

    Args:
        seed: Any non-negative integer.
        size: Voxels along I, J, K, at least 24 each. On a grid too small for an adult brain a smaller one is made.
        spacing: Millimetres along I, J, K.

    Raises:
        InputError: If the seed is negative or the grid too small.
    """
    if seed < 0 or min(size) < _SMALLEST or min(spacing) <= 0:
        raise InputError(
            "No synthetic brain can be made with these numbers.",
            reason=f"The seed is {seed}, the size {tuple(size)} voxels, the spacing {tuple(spacing)} mm.",
            remedy=f"Use a seed of 0 or more, at least {_SMALLEST} voxels along each axis and a spacing above 0 mm.",
            code="synthetic-arguments",
        )
    chance = Chance(seed)
    plan = plan_tumour(chance)
    anatomy = grow_brain(chance, size, spacing, (plan.place, plan.push_mm))
    labels = place_tumour(chance, plan, anatomy, spacing)
    channels = scan(chance, anatomy.tissue, labels, max(2.0, _TEXTURE_MM * anatomy.scale / min(spacing)))

    contract = brain_tumour_contract()
    mask = np.zeros(anatomy.shape, dtype=np.uint8)
    for name, inside in labels.items():
        mask[inside] = contract.label(name).value
    # The scanner's isocentre lies somewhere in the head, never exactly at its middle.
    middle = (chance.between(-6, 6), chance.between(-25, 5), chance.between(-10, 30))
    origin = tuple(m - (n - 1) / 2 * s for m, n, s in zip(middle, size, spacing, strict=True))
    grid = Grid(size, spacing, origin, (1, 0, 0, 0, 1, 0, 0, 0, 1))
    study = Study({name: grid.image(array) for name, array in channels.items()}, "T1c")
    return SyntheticCase(study, mask, seed)
