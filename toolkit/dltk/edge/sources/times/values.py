"""The measurements of a series: numbers, and cells that hold none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.sources.table import Table
from dltk.edge.sources.times.gaps import MISSING

__all__ = ["is_missing", "measured"]


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
