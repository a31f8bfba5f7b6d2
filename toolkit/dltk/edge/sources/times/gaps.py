"""Gaps between rows and missing values: refused, filled, interpolated, or passed over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["GAPS", "MISSING", "MOST_FILLED", "filled", "on_grid"]

GAPS = ("refuse", "fill", "interpolate", "rows")
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")  # how an empty cell is written, in small letters
MOST_FILLED = 3  # rows that are made for each row that is there


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
