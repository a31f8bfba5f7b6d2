"""Which columns of a table are the time, the names of series, and the measurements of a forecast."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.edge.sources import Table
from dltk.edge.sources.times import is_clock, read_times
from dltk.edge.sources.times.parts import groups_of, time_cells
from dltk.edge.sources.times.rule import TimeRule
from dltk.edge.sources.times.values import is_missing

__all__ = ["columns_of"]

# They are plain numbers, too: only a first column is taken for such a time unasked.
_NUMERIC_FORMS = ("YYYYMMDD", "YYYYMM", "number")
_MOST_DIFFERENT = 0.9  # of the times of several series: a few that come again are faults
_LEAST_RISING = 0.9  # of the steps of a column of numbers that is a time with a few lines out of order


def columns_of(table: Table, data: Any) -> tuple[TimeRule, tuple[str, ...]]:
    """How the rows of `table` stand in time, and the columns that are forecast.

    Args:
        data: settings: time, dates, gaps, series, missing, columns.

    Raises:
        InputError: naming the setting of each reading, where there are two, or a column that is no measurement.
    """
    for name in (*data.time, *data.series, *data.columns):
        table.column(name)
    columns = data.time or _time_columns(table, data)
    rule = TimeRule(tuple(columns), data.dates, data.gaps, tuple(data.series), tuple(data.missing))
    others = [name for name in table.header if name not in columns and name not in data.series]
    measured = tuple(data.columns) or tuple(others)
    if not measured:
        hint = f"Set data.columns={table.header[0]} if rows have no time." if len(table.header) == 1 else ""
        rule_text = "must name a time column and at least one column of measurements"
        raise InputError(f"{table.path}:1", rule_text, ", ".join(table.header), hint)
    if columns and not data.series:
        _require_one_series(table, rule, data)
    if not data.columns:
        _require_measurements(table, data, measured)
    return rule, measured


def _time_columns(table: Table, data: Any) -> tuple[str, ...]:
    """The column that reads as dates, maybe with one of times of day; else the first, unless it is a measurement."""
    free = [name for name in table.header if name not in data.columns and name not in data.series]
    dates = [name for name in free if _is_dates(table, name, data.dates)]
    if len(dates) > 1:
        rising = [name for name in dates if _separates(table, name, data)]
        if len(rising) != 1:
            flags = " or ".join(f"data.time={name}" for name in dates)
            raise InputError(f"{table.path}, line 1", "has several columns of dates", ", ".join(dates), f"Set {flags}.")
        dates = rising
    if dates:
        clocks = [name for name in free if is_clock(table.column(name))]
        return (dates[0], clocks[0]) if len(clocks) == 1 and not _separates(table, dates[0], data) else (dates[0],)
    first = table.header[0]
    if first not in free:
        return ()
    _require_rising(table, first, data)
    return (first,)


def _is_dates(table: Table, name: str, dates: str) -> bool:
    """Whether the column holds dates: a first cell decides for most columns, which are read no further."""
    cells = table.column(name)
    if not read_times(cells[:1], dates) or not (found := read_times(cells, dates)):
        return False
    first = name == table.header[0]
    return found[0].is_dates and (first or not found[0].form.endswith(("since 1970", *_NUMERIC_FORMS)))


def _separates(table: Table, name: str, data: Any, series: Sequence[str] = ()) -> bool:
    """Whether the times of a column rise, or fall, within each series."""
    for times in read_times(table.column(name), data.dates):
        gaps = [np.diff(times.places[rows]) for rows in groups_of(table, series or data.series).values()]
        if all((each > 0).all() for each in gaps) or all((each < 0).all() for each in gaps):
            return True
    return False


def _require_rising(table: Table, name: str, data: Any) -> None:
    """Raise InputError if the first column holds numbers that rise and fall: they are measurements, and no time."""
    for times in read_times(table.column(name), data.dates)[-1:]:
        gaps = np.concatenate([np.diff(times.places[rows]) for rows in groups_of(table, data.series).values()])
        share = max((gaps > 0).mean(), (gaps < 0).mean()) if len(gaps) else 1.0
        again = bool((gaps == 0).any()) or len(np.unique(times.places)) < len(times.places)
        if share < _LEAST_RISING and not (again and _suggested(table, (name,), data)):
            hint = f"Set data.time=COLUMN, or data.columns={','.join(table.header)} if rows have no time."
            rule = f"column {name!r} is no time: a time rises from line to line, sorted, each time once"
            raise InputError(table.where(1), rule, f"{table.column(name)[0]} and then {table.column(name)[1]}", hint)


def _require_one_series(table: Table, rule: TimeRule, data: Any) -> None:
    """Raise InputError, naming the setting, if times come again and another column tells their series apart."""
    cells = time_cells(table, rule.columns)
    if len(set(cells)) > _MOST_DIFFERENT * len(cells):
        return
    found = _suggested(table, rule.columns, data)
    if found:
        places: dict[str, int] = {}
        again = next(row for row, cell in enumerate(cells) if places.setdefault(cell, row) != row)
        text = f"column {rule.column} has times that come again: several series"
        raise InputError(table.where(again), text, cells[again], f"Set data.series={','.join(found)}.")


def _suggested(table: Table, time: Sequence[str], data: Any) -> tuple[str, ...]:
    """The columns, one or two, within whose values the times rise: the fewest series that do so."""
    left = [name for name in table.header if name not in time and name not in data.columns]
    few = [name for name in left if len(set(table.column(name))) * 2 <= len(table)]
    for count in (1, 2):
        if len(left) <= count and not data.columns:
            break  # a measurement must be left
        fitting = []
        for names in combinations(few[:20], count):
            groups = groups_of(table, names)
            if len(groups) * 2 <= len(table) and _rises(table, time, data, names):
                fitting.append((len(groups), names))
        if fitting:
            return min(fitting)[1]
    return ()


def _rises(table: Table, time: Sequence[str], data: Any, series: Sequence[str]) -> bool:
    cells = time_cells(table, time)
    for times in read_times(cells, data.dates):
        gaps = [np.diff(times.places[rows]) for rows in groups_of(table, series).values()]
        if all((each > 0).all() for each in gaps) or all((each < 0).all() for each in gaps):
            return True
    return False


def _require_measurements(table: Table, data: Any, columns: Sequence[str]) -> None:
    """Raise InputError, naming the setting, if some of the columns hold mostly texts."""
    texts = [name for name in columns if not _is_numeric(table.column(name), data.missing)]
    numbers = [name for name in columns if name not in texts]
    if texts and numbers:
        row, cell = next(
            (row, cell) for row, cell in enumerate(table.column(texts[0])) if not is_missing(cell, data.missing)
        )
        hint = f"Set data.columns={','.join(numbers)} to leave it out."
        raise InputError(table.where(row), f"column {texts[0]!r} must hold a finite number", cell, hint)


def _is_numeric(cells: Sequence[str], missing: Sequence[str]) -> bool:
    """Whether at least half of the cells that hold something hold a number; a column that holds nothing does not."""
    held = {cell for cell in cells if not is_missing(cell, missing)}
    return bool(held) and sum(map(_is_number, held)) * 2 >= len(held)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return cell.replace(".", "").replace(",", "").strip().lstrip("-").isdigit()
    return True
