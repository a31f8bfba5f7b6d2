"""Whether the rows of ratings without a time may stand in order of time, or are sorted by something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dltk.edge.sources.ratings import RatingColumns
from dltk.edge.sources.tables import Note, Table

__all__ = ["order_of_rows"]

_FEWEST = 10  # users, to see how rows are sorted
_MOSTLY = 0.95  # of them


def order_of_rows(table: Table, columns: RatingColumns, note: Note) -> RatingColumns:
    """`columns` with the order "rows" or "drawn" in place of "auto"; a line on it where there is no time.

    Rows that are sorted by item, rating or count within nearly each user are in no order of time.
    """
    if columns.time is not None:
        return columns
    if columns.order == "auto":
        by = _sorted_by(table, columns)
        if by is None:
            note("no time column: the rows are used in their order")
            return replace(columns, order="rows")
        note(
            f"no time column, and the rows of each user are sorted by {by!r}: the items to predict are drawn, and "
            "those of a history count the same; set data.order=rows if the rows are in order of time"
        )
        return replace(columns, order="drawn")
    words = "the items to predict are drawn" if columns.order == "drawn" else "the rows are used in their order"
    note(f"no time column is used: {words}")
    return columns


def _sorted_by(table: Table, columns: RatingColumns) -> str | None:
    rows: dict[str, list[int]] = {}
    for row, user in enumerate(table.column(columns.user)):
        rows.setdefault(user, []).append(row)
    for name in filter(None, (columns.rating, columns.item)):
        cells = table.column(name)
        keys = _keys(cells)
        several = [[keys[row] for row in own] for own in rows.values() if len({cells[row] for row in own}) > 2]
        if len(several) >= _FEWEST and sum(map(_is_sorted, several)) >= _MOSTLY * len(several):
            return name
    return None


def _keys(cells: Sequence[str]) -> Sequence[Any]:
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        return cells


def _is_sorted(values: Sequence[Any]) -> bool:
    return values in (sorted(values), sorted(values, reverse=True))
