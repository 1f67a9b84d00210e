"""Comparing half with full precision on a person's own cases, once for a model on a computer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from ..errors import InputError
from ..images.canonical import canonical_grid
from ..labels.case import Case
from ..models.folder import ModelFolder
from ..progress import Reporter
from .equality import CASES, LabelEquality, LabelVerdict, compare_labels, verdicts
from .loaded import LoadedModel, load, tuning_identity
from .openvino_backend import cpu_capabilities, openvino_version
from .precision import FULL, Tuning, native_half, write_tuning
from .segment import segment


@dataclass(frozen=True)
class TuningResult:
    """What a comparison found.

    Attributes:
        tuning: What was stored.
        rows: How each label differed in each case.
        labels: One verdict a label.
    """

    tuning: Tuning
    rows: tuple[LabelEquality, ...]
    labels: tuple[LabelVerdict, ...]


def tune(model: ModelFolder, cases: Iterable[Case], reporter: Reporter | None = None) -> TuningResult:
    """Segment cases in full and in half precision, compare label by label, and store the verdict.

    Args:
        model: The model.
        cases: At least ten, small lesions among them.
        reporter: Hears of progress and can cancel.

    Raises:
        InputError: If OpenVINO is missing, the CPU does not compute half precision, or there are too few cases.
        RunCancelled: If the user cancelled; nothing is stored then.
    """
    cases = list(cases)
    if openvino_version() is None:
        raise InputError(
            "There is nothing to compare.", reason="OpenVINO is not installed.",
            remedy='Install it with: pip install "convnextseg[cpu-fast]".', code="no-openvino",
        )  # fmt: skip
    half = native_half(cpu_capabilities())
    if half is None:
        raise InputError(
            "There is nothing to compare.", reason="This CPU does not compute half precision itself.",
            remedy="Nothing needs to be done: full precision is the fastest here.", code="no-half-precision",
        )  # fmt: skip
    if len(cases) < CASES:
        raise InputError(
            f"{len(cases)} cases are too few to say whether masks are the same.",
            remedy=f"Give at least {CASES}, with small lesions among them.", code="too-few-cases",
        )  # fmt: skip
    exact, faster = (load(model, "cpu", "openvino", precision=hint) for hint in (FULL, half))
    return compare(exact, faster, half, cases, tuning_identity(model), reporter or Reporter())


def compare(
    exact: LoadedModel, faster: LoadedModel, half: str, cases: list[Case], identity: str, reporter: Reporter
) -> TuningResult:
    """Segment cases with both, turn and turn about, and store the verdict under ``identity``."""
    rows: list[LabelEquality] = []
    ratios: list[float] = []
    for index, case in enumerate(cases):
        study = case.study()
        both = []
        for half_way, loaded in enumerate((exact, faster)):
            low = (2 * index + half_way) / (2 * len(cases))
            both.append(segment(study, loaded, reporter.part(low, low + 1 / (2 * len(cases)))))
        one, other = both
        voxel_ml = canonical_grid(study.channels[study.reference]).voxel_ml
        rows += compare_labels(case.id, one.mask, other.mask, one.contract, voxel_ml)
        ratios.append(one.seconds["network"] / max(other.seconds["network"], 1e-9))
    found = verdicts(rows)
    tuning = Tuning(half, all(verdict.accepted for verdict in found), median(ratios), [v.to_dict() for v in found])
    write_tuning(identity, tuning)
    return TuningResult(tuning, tuple(rows), tuple(found))
