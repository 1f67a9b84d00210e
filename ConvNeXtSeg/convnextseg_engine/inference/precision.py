"""In which precision a network is computed on a CPU.

Half precision is faster only where the CPU computes it itself: on one with AMX a window took 0.87 s instead of 1.31 s,
on one without 17.5 s instead of 4.7 s. And a faster mask must be the same mask. So it is taken only if the CPU says
that it can, and a comparison on real cases (``convnextseg models tune``) found every label equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..durable import write_json
from ..models.home import home_folder

FULL = "f32"
# What OpenVINO calls a CPU's native formats, the faster first, and what it calls them as a wish.
_NATIVE = (("FP16", "f16"), ("BF16", "bf16"))


@dataclass(frozen=True)
class Tuning:
    """A stored comparison of half with full precision.

    Attributes:
        precision: The one that was compared: ``"f16"`` or ``"bf16"``.
        accepted: Whether every label was equal on enough cases.
        speedup: Time of fp32 divided by its time.
        labels: One verdict a label, as ``equality.LabelVerdict.to_dict`` gives it.
    """

    precision: str
    accepted: bool
    speedup: float
    labels: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class PrecisionChoice:
    """A precision to ask for, and why, one plain sentence."""

    hint: str
    reason: str


def native_half(capabilities: Sequence[str]) -> str | None:
    """Return the half precision that a CPU computes itself, or None.

    Args:
        capabilities: What OpenVINO's ``OPTIMIZATION_CAPABILITIES`` lists for it.
    """
    return next((hint for name, hint in _NATIVE if name in capabilities), None)


def choose_precision(capabilities: Sequence[str], tuning: Tuning | None) -> PrecisionChoice:
    """Return the precision to ask for.

    Args:
        capabilities: What OpenVINO's ``OPTIMIZATION_CAPABILITIES`` lists for this CPU.
        tuning: What was measured with this model on this computer, if anything.
    """
    half = native_half(capabilities)
    if half is None:
        return PrecisionChoice(FULL, "Full precision: this CPU does not compute half precision itself.")
    if tuning is None or tuning.precision != half:
        return PrecisionChoice(
            FULL, "Full precision: half precision has not been compared for this model (“convnextseg models tune”)."
        )
    if not tuning.accepted:
        return PrecisionChoice(FULL, "Full precision: with half precision some label differed when it was compared.")
    if tuning.speedup <= 1:
        return PrecisionChoice(FULL, "Full precision: half precision was no faster when it was compared.")
    return PrecisionChoice(
        half, f"Half precision: {tuning.speedup:.1f} times as fast here, and every label was the same when compared."
    )


def tuning_file(identity: str) -> Path:
    """Return where the comparison for a network is stored.

    Args:
        identity: What the network and its weights are, which CPU and which OpenVINO.
    """
    return home_folder() / "tuning" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"


def read_tuning(identity: str) -> Tuning | None:
    """Return the stored comparison; None if there is none, or it cannot be read (then it counts as not made)."""
    try:
        return Tuning(**json.loads(tuning_file(identity).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_tuning(identity: str, tuning: Tuning) -> None:
    """Store a comparison; it replaces an earlier one."""
    file = tuning_file(identity)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, asdict(tuning))
