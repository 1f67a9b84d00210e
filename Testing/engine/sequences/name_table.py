"""The tables of names: what archives and scanners write, and what each image is."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from convnextseg_engine.images.sequences.description import Description
from convnextseg_engine.images.sequences.recognise import Recognition

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One name; ``expected`` is a kind, ``none`` (no channel), or ``ask`` where nobody could know."""

    description: Description
    expected: str

    def __str__(self) -> str:
        return self.description.name


def rows_of(table: str) -> list[Row]:
    with (_FOLDER / table).open(encoding="utf-8", newline="") as file:
        return [_row(line) for line in csv.DictReader(file)]


def verdict(recognition: Recognition) -> str:
    """What was said, in the tables' words."""
    return "none" if recognition.no_channel else recognition.kind or "ask"


def _row(line: dict[str, str]) -> Row:
    fields = {key: text for key, text in line.items() if key not in ("source", "name", "expected") and text}
    if line["source"] == "series":
        fields["SeriesDescription"] = line["name"]
    return Row(Description(line["name"], fields=fields), line["expected"])
