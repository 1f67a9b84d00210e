"""Evaluate candidate, current and first version on the judging and guard cases, and ask the gate."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from ..errors import InputError
from ..inference.loaded import load
from ..labels.case_set import CaseSet
from ..models.folder import ModelFolder
from ..models.store import ModelStore
from ..progress import Reporter
from .evaluate import JudgedCase, evaluate
from .gate.guard import GuardReport, guard_report, proxy_cases
from .gate.judge import judge, not_judged
from .gate.verdict import Verdict
from .scores import Evaluation
from .synthetic_source import suits_synthetic

# Two synthetic brains: a sign of forgetting in seconds, not a measurement; the verdict calls them a proxy.
_PROXIES = 2


def judge_candidate(
    candidate: ModelFolder, store: ModelStore, case_set: CaseSet, *, guard: Path | None, device: str, reporter: Reporter
) -> Verdict:
    """Judge a candidate on the test cases of ``case_set``.

    Args:
        candidate: The staged model folder.
        store: Where its current and first versions are.
        case_set: Its ``test`` split judges.
        guard: A case set on which forgetting is measured; otherwise synthetic proxies, if the model knows them.
        device: Where to run.
        reporter: Progress and cancel.

    Raises:
        InputError: If a test case was used for training.
    """
    name = candidate.metadata.name
    current, first = (store.open(f"{name}@{version}") for version in (store.current(name), store.first(name)))
    refuse_seen_images(candidate.metadata.training_cases, case_set, guard)
    cases = case_set.cases("test")
    kind, guards = _guard_cases(candidate, guard)
    loaded = {}
    for index, model in enumerate((candidate, current, first) if cases or guards else ()):
        reporter.progress("judge", index / 20, f"loading {model.spec}")
        if model.path not in loaded:
            loaded[model.path] = load(model, device)
    scores: dict[tuple[Path, str], Evaluation] = {}
    work = [
        (path, what, list(items)) for path in loaded for what, items in (("test", cases), ("guard", guards)) if items
    ]
    for index, (path, what, items) in enumerate(work):
        part = reporter.part(0.1 + 0.9 * index / len(work), 0.1 + 0.9 * (index + 1) / len(work))
        scores[path, what] = evaluate(loaded[path], items, part)
    trio = (candidate.path, current.path, first.path)
    report: GuardReport | None = guard_report(kind, *(scores[path, "guard"] for path in trio)) if guards else None
    if not cases:
        return not_judged({"name": name, "version": candidate.metadata.version}, report)
    return judge(*(scores[path, "test"] for path in trio), guard=report, used_hashes=candidate.metadata.training_cases)


def refuse_seen_images(fingerprints: Collection[str], case_set: CaseSet, guard: Path | None) -> None:
    """Refuse to judge on images that a model has learned from.

    Args:
        fingerprints: What :func:`~convnextseg_engine.training.candidate.case_fingerprints` says of what it has seen.
        case_set: Its ``test`` split judges.
        guard: A case set on which forgetting is measured, or None.

    Raises:
        InputError: If a test case or a guard case was used for training or for stopping; the message names it.
    """
    seen = set(fingerprints)
    judging = case_set.cases("test") + (CaseSet.open(guard).cases() if guard is not None else [])
    known = [case.id for case in judging if case.hash in seen or seen & set(case.voxels.values())]
    if known:
        raise InputError(
            "The candidate cannot be judged on images that it, or a version before it, has learned from.",
            reason=f"These cases were used for training or for stopping: {', '.join(known)}.",
            remedy="Move them to the split “train”, or take other cases as test or guard cases.",
            code="case-was-used",
        )


def _guard_cases(candidate: ModelFolder, guard: Path | None) -> tuple[str, Sequence[JudgedCase]]:
    if guard is not None:
        return "named cases", CaseSet.open(guard).cases()
    if suits_synthetic(candidate.contract, candidate.input_spec):
        return "proxy", proxy_cases(_PROXIES)
    return "", []
