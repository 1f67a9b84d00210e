"""A synthetic glioma: lobulated core, enhancing rim, oedema along the white matter.

Label names follow the contract (``core``, ``edema``, ``enhancing``). The proportions cover those of the 8 BraTS 2021
training cases of the shared split: core 1–94 mL, edema 7–122 mL, enhancing 0–90 mL, two of eight without enhancement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import Anatomy, Tissue, ellipsoid
from .chance import Chance


@dataclass(frozen=True)
class TumourPlan:
    """What the tumour will be like, drawn before the brain because it pushes the brain aside.

    Attributes:
        place: Centre in units of the brain's half axes along L, P, S.
        kind: ``"ring"`` (necrosis with an enhancing rim), ``"solid"`` (enhancing throughout, little necrosis) or
            ``"quiet"`` (no enhancement, or a small enhancing nodule, as in many low-grade gliomas).
        core_mm: Radius of core and enhancing part together.
        rim_mm: Mean thickness of the enhancing rim.
        edema_mm: How far the oedema reaches beyond the core in white matter.
        push_mm: How far it displaces the midline.
    """

    place: tuple[float, float, float]
    kind: str
    core_mm: float
    rim_mm: float
    edema_mm: float
    push_mm: float


def plan_tumour(chance: Chance) -> TumourPlan:
    """Draw a tumour in the cerebrum, between the surface and the midline."""
    dx, dy, dz = chance.direction()
    away = chance.between(0.40, 0.72)
    x = dx * away
    x = x if abs(x) > 0.18 else (0.18 if x >= 0 else -0.18) + x
    place = x, dy * away * 0.9, abs(dz) * away * 0.8 - 0.12
    kind = chance.one_of(("ring", "ring", "ring", "ring", "solid", "quiet", "quiet", "quiet"))
    # Squaring an even draw makes small tumours, which are harder to find, the more frequent ones.
    even = chance.between(0, 1)
    core_mm = 8 + 22 * even * even if kind == "ring" else (6 + 14 * even * even if kind == "solid" else 9 + 20 * even)
    edema_mm = chance.between(2, 9) if kind == "quiet" else chance.between(6, 24)
    push_mm = chance.between(0.0, 0.35) * core_mm
    return TumourPlan(place, kind, core_mm, chance.between(2.0, 6.5), edema_mm, push_mm)


def place_tumour(
    chance: Chance, plan: TumourPlan, anatomy: Anatomy, spacing: tuple[float, float, float]
) -> dict[str, np.ndarray]:
    """Return disjoint boolean arrays ``(D, H, W)`` named by label: ``core``, ``edema``, ``enhancing``.

    ``enhancing`` may be empty, as in many low-grade gliomas; ``core`` and ``edema`` only on grids too coarse for them
    (more than about 3 mm in an adult brain).
    """
    scale, shape = anatomy.scale, anatomy.shape

    def noise(width_mm: float) -> np.ndarray:
        return chance.smooth(shape, [max(2.0, width_mm * scale / s) for s in reversed(spacing)])

    distance = _lobes(chance, plan, anatomy) * (1 + np.float32(0.16) * noise(9.0) + np.float32(0.07) * noise(4.0))
    core_mm, rim_mm = plan.core_mm * scale, plan.rim_mm * scale
    tissue = anatomy.tissue
    brain = (tissue != Tissue.OUTSIDE) & (tissue != Tissue.VESSEL)
    tumour = (distance < core_mm) & brain
    enhancing = tumour & _enhancing(chance, plan, distance, core_mm, rim_mm, noise)

    # Oedema follows white matter, enters grey matter little, and stops at fluid.
    finger = 1 + np.float32(0.38) * noise(11.0)
    reach = np.zeros(len(Tissue), dtype=np.float32)
    reach[[Tissue.WHITE, Tissue.AGED_WHITE]] = 1.0
    reach[Tissue.DEEP_GREY], reach[Tissue.GREY] = 0.35, 0.22
    margin = np.clip(finger * reach[tissue], 0, None) * np.float32(plan.edema_mm * scale)
    solid = np.isin(tissue, [Tissue.WHITE, Tissue.AGED_WHITE, Tissue.GREY, Tissue.DEEP_GREY])
    edema = (distance < core_mm + margin) & solid & ~tumour
    return {"core": tumour & ~enhancing, "edema": edema, "enhancing": enhancing}


def _lobes(chance: Chance, plan: TumourPlan, anatomy: Anatomy) -> np.ndarray:
    """Distance from the tumour's middle in mm, as if it were one ball, though it has one to four lobes."""
    centre = tuple(p * h for p, h in zip(plan.place, anatomy.half_axes_mm, strict=True))
    radius = plan.core_mm * anatomy.scale
    distance = None
    for lobe in range(1 + int(chance.between(0, 3.999))):
        share = 1.0 if lobe == 0 else chance.between(0.45, 0.8)
        dx, dy, dz = chance.direction()
        offset = 0.0 if lobe == 0 else radius * chance.between(0.55, 0.95)
        where = centre[0] + dx * offset, centre[1] + dy * offset, centre[2] + dz * offset
        stretch = tuple(share * chance.between(0.75, 1.2) for _ in range(3))
        ball = ellipsoid(anatomy.x, anatomy.y, anatomy.z, where, stretch)
        distance = ball if distance is None else np.minimum(distance, ball)
    return distance


def _enhancing(chance, plan, distance, core_mm, rim_mm, noise) -> np.ndarray:
    """Which voxels of the tumour take up contrast agent."""
    if plan.kind == "quiet":
        if chance.happens(0.6):
            return np.zeros(distance.shape, dtype=bool)
        return (noise(7.0) > np.float32(1.4)) & (distance < np.float32(0.9 * core_mm))
    if plan.kind == "solid":
        return (noise(6.0) > np.float32(-0.8)) & (distance > np.float32(0.35 * core_mm))
    thickness = np.clip(rim_mm * (1 + np.float32(0.45) * noise(8.0)), 0, 0.75 * core_mm)
    gaps = noise(10.0) > np.float32(chance.between(1.1, 2.5))
    strands = np.abs(noise(6.0)) < np.float32(chance.between(0.0, 0.12))
    return ((distance > core_mm - thickness) & ~gaps) | strands
