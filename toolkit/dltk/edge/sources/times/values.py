"""The measurements of a series: numbers, cells that hold none, and gaps that are refused, filled or passed over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.sources.tables import Table

__all__ = ["GAPS", "MISSING", "MOST_FILLED", "filled", "is_missing", "measured", "on_grid"]

GAPS = ("refuse", "fill", "interpolate", "rows")
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")  # how an empty cell is written, in small letters
MOST_FILLED = 3  # rows that are made for each row that is there


def is_missing(cell: str, missing: Collection[str]) -> bool:
    """Whether a cell holds no value: it is empty, NA or the like, or one of `missing`."""
    text = cell.strip()
    return text.lower() in MISSING or text in missing


def measured(
    table: Table, columns: Sequence[str], *, missing: Sequence[str], gaps: str, positive: bool, found: bool
) -> NDArray[np.float32]:
    """float32 (rows, columns) of `table`; NaN where a value is missing and `gaps` does not refuse it.

    Args:
        positive: whether numbers must be above 0, for their logarithm.
        found: whether the table is one to train on, whose settings may be named.

    Raises:
        InputError: naming the line of the first cell that is no finite number, or not above 0 where it must be.
    """
    absent = np.zeros((len(table), len(columns)), bool)
    texts = frozenset(missing)
    for place, name in enumerate(columns):
        absent[:, place] = [is_missing(cell, texts) for cell in table.column(name)]
    if absent.any() and gaps == "refuse":
        _refuse(table, columns, absent, found=found)
    values = (_without(table, columns, absent) if absent.any() else table).numbers(columns)
    values[absent] = np.nan
    if positive and (values <= 0).any():
        row, place = np.argwhere(values <= 0)[0]
        rule = f"column {columns[place]!r} must be above 0 for its logarithm"
        raise InputError(table.where(int(row)), rule, f"{values[row, place]:g}")
    return values


def _refuse(table: Table, columns: Sequence[str], absent: NDArray[np.bool_], *, found: bool) -> None:
    row, place = (int(number) for number in np.argwhere(absent)[0])
    hint = "Fill it in: the model needs a number in every row."
    if found:
        hint = (
            f"{int(absent.sum()):,} of {absent.size:,} values are missing: set data.gaps=interpolate "
            "(a straight line), data.gaps=fill (the value before) or data.gaps=rows (such rows are left out)."
        )
    rule = f"column {columns[place]!r} must hold a finite number"
    raise InputError(table.where(row), rule, table.column(columns[place])[row] or "an empty cell", hint)


def _without(table: Table, columns: Sequence[str], absent: NDArray[np.bool_]) -> Table:
    """`table` with a number in every missing cell."""
    cells = list(table.cells)
    for place, name in enumerate(columns):
        number = table.header.index(name)
        gone = absent[:, place]
        if gone.any():
            cells[number] = ["1" if out else cell for cell, out in zip(cells[number], gone.tolist())]
    return replace(table, cells=tuple(cells))


def on_grid(values: NDArray[np.float32], slots: NDArray[np.int64]) -> NDArray[np.float32]:
    """`values` (n, columns) at their `slots` (n) of an even grid, as (slots[-1] + 1, columns); NaN between them."""
    found = np.full((int(slots[-1]) + 1, values.shape[1]), np.nan, np.float32)
    found[slots] = values
    return found


def filled(values: NDArray[np.float32], gaps: str) -> tuple[NDArray[np.float32], int]:
    """`values` (n, columns) without NaN, and how many were filled in or, by "rows", left out.

    "fill" repeats the value before, "interpolate" draws a straight line between neighbours, "rows" leaves rows out. The
    rows before the first value of a column are left out by all; behind the last, its value is repeated.
    """
    absent = np.isnan(values)
    if not absent.any():
        return values, 0
    if gaps == "rows":
        kept = ~absent.any(axis=1)
        return values[kept], int((~kept).sum())
    complete = ~absent.all(axis=0)
    first = int((~absent).argmax(axis=0).max()) if complete.all() else len(values)
    found = values[first:].copy()
    places = np.arange(len(values))
    for column in range(values.shape[1]):
        known = np.flatnonzero(~absent[:, column])
        if not len(known):
            continue
        if gaps == "interpolate":
            line = np.interp(places, known, values[known, column].astype(np.float64)).astype(np.float32)
        else:
            line = values[known[np.maximum(np.searchsorted(known, places, side="right") - 1, 0)], column]
        found[:, column] = line[first:]
    return found, int(absent[first:].sum())
