"""What is wrong with a case set, found by reading all of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, sentence
from ..images.grid import Grid
from .case import Case, content_hash

if TYPE_CHECKING:
    from .case_set import CaseSet


@dataclass(frozen=True)
class Finding:
    """One thing to know before training.

    Attributes:
        case: Name of the case, or empty if it is about the whole set.
        severity: ``"error"`` (must not be trained on) or ``"warning"``.
        message: What it is, one plain sentence.
        remedy: What to do.
    """

    case: str
    severity: str
    message: str
    remedy: str


def check_case_set(case_set: CaseSet) -> list[Finding]:
    """Return all findings, errors first; reads every image and mask of the set."""
    findings: list[Finding] = []
    cases: list[Case] = []
    for folder in case_set.case_folders():
        try:
            case = Case.read(folder, case_set.contract)
            findings += _content_findings(case)
            cases.append(case)
        except InputError as error:
            findings.append(
                Finding(
                    folder.name,
                    "error",
                    " ".join(sentence(part) for part in (error.message, error.reason) if part),
                    error.remedy,
                )
            )
    findings += _shared_images(cases) + _leftovers(case_set)
    if not any(case.split == "train" for case in cases):
        findings.append(Finding("", "warning", "No case is in the split train.", "Add cases to train on."))
    return sorted(findings, key=lambda finding: (finding.severity != "error", finding.case))


def _content_findings(case: Case) -> list[Finding]:
    """Findings about one case's images and mask; raises :class:`InputError` if they cannot be read."""
    findings = []
    study, mask = case.study(), case.mask()
    if not study.reference_grid.same_as(case.grid):
        findings.append(
            Finding(
                case.id,
                "error",
                f"The image {case.reference} has another grid than the label.",
                "Export the case again.",
            )
        )
    elif content_hash(study, mask) != case.hash:
        findings.append(
            Finding(
                case.id,
                "error",
                "Its images or its label were changed after it was added.",
                "If the change is meant, export the case again and replace it; otherwise restore the files.",
            )
        )
    for name, image in study.channels.items():
        if name != case.reference and not _overlap(Grid.from_image(image), study.reference_grid):
            findings.append(
                Finding(
                    case.id,
                    "error",
                    f"The channel {name} does not overlap {case.reference} in space.",
                    "Check that both are of the same patient and visit.",
                )
            )
    if not mask.any():
        findings.append(
            Finding(case.id, "warning", "Its label is empty.", "Keep it if the patient has no tumour; else correct it.")
        )
    return findings


def _overlap(one: Grid, other: Grid) -> bool:
    (low, high), (other_low, other_high) = one.outer_box(), other.outer_box()
    return bool(np.all(np.minimum(high, other_high) > np.maximum(low, other_low)))


def _shared_images(cases: list[Case]) -> list[Finding]:
    holders: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        for digest in set(case.voxels.values()):
            holders[digest].append(case)
    pairs = {(a.id, b.id): (a, b) for group in holders.values() for i, a in enumerate(group) for b in group[i + 1 :]}
    return [
        Finding(
            a.id,
            "error" if a.split != b.split else "warning",
            f"It has the same image as {b.id}"
            + (f", and one is in {a.split}, the other in {b.split}." if a.split != b.split else "."),
            "Put both into the same split, or remove one."
            if a.split != b.split
            else "Remove one: it would count twice.",
        )
        for a, b in pairs.values()
    ]


def _leftovers(case_set: CaseSet) -> list[Finding]:
    return [
        Finding(
            "",
            "warning",
            f"The folder {entry.name} is left from an export that was interrupted, or is still running.",
            "Delete it if no export is running, and export that case again.",
        )
        for entry in sorted(case_set.folder.glob(".adding-*"))
    ]
