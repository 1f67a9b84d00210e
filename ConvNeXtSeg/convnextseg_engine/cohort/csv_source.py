"""A cohort as a table that a person wrote: one row a case, one column a channel."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .case import CohortCase, exists, file_of, safe_id
from .mask_pattern import MaskPattern, with_brain_mask

_CASE, _REFERENCE, _MASK = "case", "reference", "brain mask"


def cases_of_csv(
    path: Path, channels: Sequence[str], reference: str | None = None, masks: MaskPattern | None = None
) -> list[CohortCase]:
    """Return the cases of a CSV file.

    The first row names the columns: ``case``, the model's channels, ``reference`` if the result shall not lie on the
    grid that ``reference`` below says, and ``brain mask`` for files that say what is brain. Columns are separated by
    commas, semicolons or tabs; an empty field is an absent channel; relative paths start at the file's folder.

    Args:
        path: The file, UTF-8.
        channels: Channel names of the model.
        reference: Channel on whose grid results lie where a row does not say; by default the model's first that it has.
        masks: Where the brain masks lie of rows that name none.

    Raises:
        InputError: If the file cannot be read as such a table, or a case is named twice. A row with a missing file is
            a case with a problem, so that it does not stop the others.
    """
    rows = _rows(path)
    header = [name.strip() for name in rows[0]]
    unknown = [name for name in header if name not in (_CASE, _REFERENCE, _MASK, *channels)]
    if _CASE not in header or unknown or len(set(header)) < len(header):
        raise InputError(
            f"The first row of {path.name} does not name the columns as expected.",
            reason=f"It has {', '.join(header)}."
            + (f" The model has no channel {', '.join(unknown)}." if unknown else ""),
            remedy=f"Name each column once: {_CASE}, any of {', '.join(channels)}, and {_REFERENCE} or {_MASK} if you "
            "need them.",
            code="bad-table",
        )
    for number, row in enumerate(rows, start=1):
        if any(row[len(header) :]):
            raise InputError(
                f"Row {number} of {path.name} has more fields than the first row has columns.",
                reason=f"Nothing says what “{next(filter(None, row[len(header) :]))}” is.",
                remedy="Put a name that contains the separator between quotation marks.",
                code="bad-table",
            )
    named = [dict(zip(header, row, strict=False)) for row in rows[1:] if any(row)]
    cases = [_with_mask(_case(row, path, channels, reference), row, path, masks) for row in named]
    if not cases:
        raise InputError(f"{path.name} lists no case.", remedy="Write one row for each case.", code="no-cases")
    return cases


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.splitlines()[0] if text.strip() else ""
        separator = max(",;\t", key=first.count)
        reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
        rows = [[cell.strip() for cell in row] for row in reader]
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(
            f"{path.name} cannot be read as a table.", reason=str(error),
            remedy="Save it as CSV in UTF-8 from your spreadsheet program.", code="bad-table",
        ) from error  # fmt: skip
    if not rows:
        raise InputError(f"{path.name} is empty.", remedy="Write one row for each case.", code="bad-table")
    return rows


def _with_mask(case: CohortCase, row: dict[str, str], path: Path, masks: MaskPattern | None) -> CohortCase:
    if row.get(_MASK):
        return with_brain_mask(case, _place(path, row[_MASK]))
    return case if masks is None else masks.given_to(case, row[_CASE])


def _place(path: Path, cell: str) -> Path:
    """Where the file lies that a cell names; it need not exist."""
    try:
        return path.parent / Path(cell).expanduser()
    except RuntimeError:  # “~” with a user who does not exist, so that neither does the file
        return path.parent / cell


def _case(row: dict[str, str], path: Path, channels: Sequence[str], wanted: str | None) -> CohortCase:
    name = safe_id(row[_CASE])
    files = {c: str(_place(path, row[c])) for c in channels if row.get(c)}
    if not row[_CASE] or not files:
        return CohortCase(name, problem="Its row names no case or no file.")
    reference = row.get(_REFERENCE) or wanted or next(iter(files))
    if reference not in files:
        return CohortCase(name, files, problem=f"Its reference channel {reference} has no file.")
    lacking = [f"{c} ({row[c]})" for c, file in files.items() if not exists(file_of(file))]
    problem = f"There is no file for {', '.join(lacking)}." if lacking else ""
    return CohortCase(name, files, reference, problem)
