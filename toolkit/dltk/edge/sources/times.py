"""The time column of a table: rows must follow each other at one step, or the model's window is not what it seems."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from dltk.base.errors import InputError
from dltk.edge.sources.tables import Table

__all__ = ["Step", "moment", "require_regular", "step_of"]

_FORMS = "an ISO date or time, a year and month (2024-03), or a number"
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})")
_DAY = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(.*)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1)
_ROUNDING = 1e-6  # of a step: 0.1, 0.2, 0.30000000000000004 are evenly spaced
_LAST_BITS = 1e-15  # of a time: seconds since 1970 have no finer parts


@dataclass(frozen=True)
class Step:
    """How far apart rows are.

    Attributes:
        unit: "month", "second" (of dates and times) or "number".
        size: how many of them.
    """

    unit: str
    size: float

    def __str__(self) -> str:
        if self.unit == "second":
            return str(timedelta(seconds=self.size))
        return f"{self.size:g} months" if self.unit == "month" else f"{self.size:g}"


def step_of(table: Table, column: str) -> Step:
    """The one step at which the times in `column` rise.

    Raises:
        InputError: with the line, where a time cannot be read, is of another form than the first, does not come after
            the one before it, or comes later than one step.
    """
    return _regular(table, column, 0)


def require_regular(table: Table, column: str, step: Step, *, last: int) -> None:
    """Hold the `last` rows of `table` to `step`, that of the rows a model was trained on.

    Raises:
        InputError: as `step_of`, or if the rows are at another step.
    """
    first = max(0, len(table) - last)
    if len(table.column(column)) - first < 2:
        return
    found = _regular(table, column, first)
    same = found.unit == step.unit and math.isclose(found.size, step.size, rel_tol=_ROUNDING)
    if not same:
        raise InputError(table.where(first + 1), f"rows must be {step} apart, as in training", str(found))


def _regular(table: Table, column: str, first: int) -> Step:
    cells = table.column(column)[first:]
    form, places = _places(table, cells, column, first)
    for row in range(1, len(places)):
        if places[row] <= places[row - 1]:
            rule = "must be later than the line before it: sorted, each time once"
            raise InputError(table.where(first + row), f"column {column!r} {rule}", cells[row])
    if form == "local" and (months := _as_months(cells)) is not None:
        form, places = "month", months
    gaps = [after - before for before, after in zip(places, places[1:])]
    step = Step(_UNITS[form], _commonest_gap(gaps) if gaps else 0.0)
    for row, gap in enumerate(gaps, start=1):
        if abs(gap - step.size) > _ROUNDING * step.size + _LAST_BITS * abs(places[row]):
            hint = "Fill the gap, or cut the table there: the model needs evenly spaced rows."
            received = f"{cells[row - 1]} and then {cells[row]}"
            raise InputError(table.where(first + row), f"column {column!r} must rise by {step} a row", received, hint)
    return step


def _places(table: Table, cells: Sequence[str], column: str, first: int) -> tuple[str, list[float]]:
    """Form and place in time of each cell; all are of the first one's form."""
    form = next((name for name, read in _READERS.items() if read(cells[0]) is not None), None)
    if form is None:
        raise InputError(table.where(first), f"column {column!r} must hold {_FORMS}", cells[0])
    found = []
    for row, cell in enumerate(cells):
        place = _READERS[form](cell)
        if place is None:
            rule = f"column {column!r} must hold times of one form, that of {cells[0]!r}"
            raise InputError(table.where(first + row), rule, cell)
        found.append(place)
    return form, found


def _commonest_gap(gaps: Sequence[float]) -> float:
    """The commonest gap; of several as common, the smallest."""
    counts = Counter(round(gap, 9) for gap in gaps)
    most = max(counts.values())
    return min(gap for gap, count in counts.items() if count == most)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _month(cell: str) -> float | None:
    found = _MONTH.fullmatch(cell.strip())
    if found is None or not 1 <= int(found[2]) <= 12:
        return None
    return int(found[1]) * 12 + int(found[2]) - 1


def moment(text: str) -> datetime:
    """The date and time in ISO 8601 form; ValueError for any other text. Before Python 3.11, "Z" was not understood."""
    return datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)


def _date(cell: str) -> datetime | None:
    text = cell.strip()
    slashed = _DAY.fullmatch(text)
    if slashed is not None:
        text = f"{slashed[1]}-{int(slashed[2]):02d}-{int(slashed[3]):02d}{slashed[4]}"
    try:
        return moment(text)
    except ValueError:
        return None


def _local(cell: str) -> float | None:
    found = _date(cell)
    return None if found is None or found.tzinfo is not None else (found - _EPOCH).total_seconds()


def _zoned(cell: str) -> float | None:
    found = _date(cell)
    if found is None or found.tzinfo is None:
        return None
    return (found.astimezone(timezone.utc).replace(tzinfo=None) - _EPOCH).total_seconds()


def _as_months(cells: Sequence[str]) -> list[float] | None:
    """Months of dates that all lie on one day of the month at one time, such as the first; else None."""
    dates = [date for date in map(_date, cells) if date is not None]
    alike = {(date.day, date.time()) for date in dates}
    return [date.year * 12.0 + date.month - 1 for date in dates] if len(alike) == 1 and len(dates) > 1 else None


# Numbers first: 2024 is one. Local and zoned times cannot be put in order together.
_READERS: dict[str, Callable[[str], float | None]] = {
    "number": _number,
    "month": _month,
    "local": _local,
    "zoned": _zoned,
}
_UNITS = {"number": "number", "month": "month", "local": "second", "zoned": "second"}
