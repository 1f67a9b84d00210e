"""Going through a cohort: what is done stays, what fails does not stop the rest, and the table is always up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError, RunCancelled, describe
from ..progress import Reporter
from .case import CohortCase
from .results import ResultsFolder, Row
from .segment_case import segment_case
from .settings import Settings

# Gives, for each case in any order, its report or the error that ended it.
Executor = Callable[[Sequence[CohortCase], Settings, Path, Reporter], Iterable[tuple[str, dict[str, Any] | Exception]]]


def run_cohort(
    cases: Sequence[CohortCase], settings: Settings, folder: Path, reporter: Reporter, execute: Executor | None = None
) -> list[Row]:
    """Segment the cases that are not done yet.

    Args:
        cases: All cases of the cohort.
        settings: How to segment them.
        folder: Where results go; a cohort that was interrupted goes on there, and failed cases are tried again.
        reporter: Hears of every case, and can cancel; what is done by then stays.
        execute: Runs cases; one after the other in this process by default, see ``cluster.py`` for another way.

    Returns:
        One row a case, in the order of ``cases``.

    Raises:
        InputError: If two cases have one name, or ``folder`` cannot be used.
        RunCancelled: If the user cancelled.
    """
    check_names(cases)
    results = ResultsFolder(folder, settings)
    rows = {case.id: _row_before(case, results) for case in cases}
    waiting = [case for case in cases if rows[case.id].status == "waiting"]
    table = results.write_table(list(rows.values()))
    finished = len(cases) - len(waiting)
    reporter.progress("cohort", 0.0, f"{len(waiting)} of {len(cases)} cases are to be segmented")
    try:
        for name, outcome in (execute or one_after_the_other)(waiting, settings, results.path, reporter):
            rows[name] = _row_after(name, outcome)
            results.write_table(list(rows.values()))
            finished += 1
            reporter.progress("cohort", finished / len(cases), f"{name} {rows[name].status}")
    except (RunCancelled, KeyboardInterrupt):
        done = sum(row.status == "done" for row in rows.values())
        raise RunCancelled(
            f"The cohort was interrupted; {done} of {len(cases)} cases are done.",
            remedy=f"Their results are in {table.parent}. Run the same command again to go on.",
        ) from None
    return list(rows.values())


def one_after_the_other(
    cases: Sequence[CohortCase], settings: Settings, folder: Path, reporter: Reporter
) -> Iterator[tuple[str, dict[str, Any] | Exception]]:
    """Run the cases in this process, each with its share of the progress."""
    for index, case in enumerate(cases):
        part = reporter.part(index / len(cases), (index + 1) / len(cases))
        try:
            yield case.id, segment_case(case, settings, folder, part)
        except RunCancelled:
            raise
        except Exception as error:
            yield case.id, error


def check_names(cases: Sequence[CohortCase]) -> None:
    """Refuse two cases whose results would go to one folder.

    Raises:
        InputError: If two cases have one name; some file systems do not tell small letters from capital ones.
    """
    seen: set[str] = set()
    for case in cases:
        folder = case.id.casefold()
        if folder in seen:
            raise InputError(
                f"Two cases are named {case.id}.", reason="Their results would go to the same folder.",
                remedy="Give each case its own name.", code="case-twice",
            )  # fmt: skip
        seen.add(folder)


def _row_before(case: CohortCase, results: ResultsFolder) -> Row:
    if case.problem:
        return Row(case.id, "failed", {}, case.problem)
    try:
        report = results.done(case)
    except InputError as error:
        return Row(case.id, "failed", {}, str(error))
    return Row(case.id, "waiting", {}) if report is None else _row_after(case.id, report)


def _row_after(name: str, outcome: dict[str, Any] | Exception) -> Row:
    if isinstance(outcome, Exception):
        return Row(name, "failed", {}, str(describe(outcome)))
    return Row(name, "done", outcome, " ".join(outcome["warnings"]))
