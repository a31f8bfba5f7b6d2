"""A column of cells as times: every reading that fits all cells, so that an ambiguous one can be refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from dltk.edge.sources.times.dates import DAY_FORMS, MONTH_FORMS, ORDERS, Place

__all__ = ["ACCEPTED", "DATES", "Times", "furthest_read", "is_clock", "read_times"]

ACCEPTED = "an ISO date or time, a date such as 31.01.2024 or 31 Jan 2024, a month (2024-03), a quarter or a number"
DATES = ("auto", *ORDERS)
# Numbers that are seconds (to nanoseconds) since 1970, of 2001 to 2099.
_FROM, _TO = 1e9, 4.1e9
_SINCE_1970 = {
    "seconds since 1970": 1.0,
    "milliseconds since 1970": 1e3,
    "microseconds since 1970": 1e6,
    "nanoseconds since 1970": 1e9,
}
_LONGEST_NUMBER = 40


@dataclass(frozen=True)
class Times:
    """One reading of a column.

    Attributes:
        form: how its cells are written: "number", "year-month-day", "day-first", "quarter" ...
        unit: of the places: "number", "second" (since 1970) or "month" (since year 0).
        places: float64 (n,).
    """

    form: str
    unit: str
    places: NDArray[np.float64]

    @property
    def is_dates(self) -> bool:
        """Whether the cells are dates, and no plain numbers."""
        return self.unit != "number"

    def day(self, row: int) -> str:
        """The time of a row, for people."""
        place = float(self.places[row])
        if self.unit == "number":
            return f"{place:g}"
        if self.unit == "month":
            return f"{int(place) // 12}-{int(place) % 12 + 1:02d}"
        found = datetime(1970, 1, 1) + timedelta(seconds=place)
        return str(found.date()) if found.time() == datetime.min.time() else str(found)


def read_times(cells: Sequence[str], dates: str = "auto") -> tuple[Times, ...]:
    """Every reading of `cells` (n) that fits all of them, the likeliest first; none if they are no times.

    Dates such as 03/04/2021 have two readings where no cell rules one out. Plain numbers come last: 20240131, 202403
    and 1700000000 are dates first.

    Args:
        dates: "auto", or one of `ORDERS`, which rules out the readings in another order.
    """
    if not len(cells):
        return ()
    found = []
    for form in _forms(dates):
        times, _ = _read(cells, form)
        if times is not None:
            found.append(times)
    by_order = [each for each in found if each.form in ORDERS]
    alike = [each for each in by_order[1:] if np.array_equal(each.places, by_order[0].places)]
    kept = [each for each in found if each not in alike] if alike else found
    return tuple(kept)


def furthest_read(cells: Sequence[str], dates: str = "auto") -> tuple[str, int]:
    """The form that fits the most first cells of cells that no form fits, and the first row (from 0) it does not fit.

    The row is 0 if no form fits the first cell.
    """
    reached = {form: _read(cells, form)[1] for form in _forms(dates)}
    form = max(reached, key=lambda each: reached[each])
    return form, reached[form]


def is_clock(cells: Sequence[str]) -> bool:
    """Whether every cell is a time of day such as 10:00 or 10.00.00: half of a time whose date stands elsewhere."""
    read = DAY_FORMS["year-month-day"]
    return all((":" in cell or cell.count(".") == 2) and read(f"2000-01-01 {cell}") is not None for cell in cells)


def _forms(dates: str) -> list[str]:
    orders = ORDERS if dates == "auto" else (dates,)
    days = [form for form in DAY_FORMS if form not in ORDERS or form in orders]
    return [*days, *MONTH_FORMS, *_SINCE_1970, "number"]


def _read(cells: Sequence[str], form: str) -> tuple[Times | None, int]:
    """All of `cells` by `form`; None, and the first row that does not fit."""
    if form in _SINCE_1970 or form == "number":
        return _read_numbers(cells, form)
    read = DAY_FORMS.get(form) or MONTH_FORMS[form]
    places = np.empty(len(cells), np.float64)
    zoned: bool | None = None
    known: dict[str, Place | None] = {}
    for row, cell in enumerate(cells):
        place = known[cell] if cell in known else known.setdefault(cell, read(cell))
        if place is None or (zoned is not None and place[1] is not zoned):
            return None, row
        places[row], zoned = place
    unit = "second" if form in DAY_FORMS else "month"
    return Times(form, unit, places), len(cells)


def _read_numbers(cells: Sequence[str], form: str) -> tuple[Times | None, int]:
    places = np.empty(len(cells), np.float64)
    size = _SINCE_1970.get(form)
    for row, cell in enumerate(cells):
        try:
            value = float(cell) if len(cell) <= _LONGEST_NUMBER else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (size is not None and not _FROM <= value / size <= _TO):
            return None, row
        places[row] = value
    return Times(form, "number" if size is None else "second", places / (size or 1.0)), len(cells)
