"""Synthetic brains as training cases: mixed in from scratch, replayed against forgetting in fine-tuning."""

from __future__ import annotations

from collections.abc import Callable

from ..images.prepare import InputSpec
from ..labels.contract import LabelContract
from ..synthetic.brain import brain_tumour_contract, synthetic_case
from .recipe import Recipe
from .samples import TrainingCase, training_case

SYNTHETIC_CHANNELS = ("T1", "T1c", "T2", "FLAIR")


def suits_synthetic(contract: LabelContract, spec: InputSpec) -> bool:
    """Say whether a model with this contract and input can learn from, or be judged on, synthetic brains."""
    return contract.same_labels(brain_tumour_contract()) and bool(set(SYNTHETIC_CHANNELS) & set(spec.channels))


def synthetic_source(recipe: Recipe, contract: LabelContract, spec: InputSpec) -> Callable[[int], TrainingCase] | None:
    """Return a function from a number to a prepared synthetic case, or None where synthetic brains do not suit."""
    if not suits_synthetic(contract, spec):
        return None

    def made(number: int) -> TrainingCase:
        case = synthetic_case(recipe.seed + number)
        return training_case(case.study, case.mask, contract, spec)

    return made
