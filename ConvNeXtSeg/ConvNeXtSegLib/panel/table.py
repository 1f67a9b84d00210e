"""Read-only tables of text, all looking the same."""

from __future__ import annotations

from collections.abc import Sequence

import qt

# A longer table scrolls: the panel has other things to show.
_MOST_ROWS = 9


def prepare_table(table: qt.QTableWidget, headers: Sequence[str]) -> None:
    """Give a table its columns; the last one takes what room is left."""
    table.setColumnCount(len(headers))
    table.setHorizontalHeaderLabels(list(headers))
    table.horizontalHeader().setStretchLastSection(True)
    table.verticalHeader().setVisible(False)
    table.setShowGrid(False)
    table.setAlternatingRowColors(True)


def fill_table(table: qt.QTableWidget, rows: Sequence[Sequence[str]], tips: Sequence[str] = ()) -> None:
    """Show ``rows`` of text; ``tips`` are tool tips, one a row."""
    table.setRowCount(len(rows))
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(tips[r] if r < len(tips) and tips[r] else text)
            table.setItem(r, c, item)
    header = table.horizontalHeader()
    header.setStretchLastSection(False)
    table.resizeColumnsToContents()
    header.setStretchLastSection(True)
    table.resizeRowsToContents()
    shown = min(max(len(rows), 1), _MOST_ROWS)
    row_height = table.rowHeight(0) if rows else table.verticalHeader().defaultSectionSize
    table.setFixedHeight(header.sizeHint.height() + shown * row_height + 2 * table.frameWidth)
