"""The series of a table: rows put in order of time, evenly spaced or refused, gaps as the rule has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.sources.tables import Table
from dltk.edge.sources.times.forms import ACCEPTED, Times, furthest_read, read_times
from dltk.edge.sources.times.rule import TimeRule
from dltk.edge.sources.times.spacing import Slots, Step, same_step, slots_of, step_of
from dltk.edge.sources.times.values import MOST_FILLED, filled, measured, on_grid

__all__ = ["Part", "Parts", "groups_of", "read_parts", "readings_of", "time_cells"]


@dataclass(frozen=True)
class Part:
    """One series of a table.

    Attributes:
        name: what the series columns hold; empty where all rows are one series.
        values: float32 (rows, columns), oldest first, evenly spaced.
    """

    name: str
    values: NDArray[np.float32]

    @property
    def title(self) -> str:
        """What a prediction of it is shown under."""
        return self.name


@dataclass(frozen=True)
class Parts:
    """The series of a table, the rule with what was found, and sentences about it."""

    parts: tuple[Part, ...]
    rule: TimeRule
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Group:
    """Rows of one series, oldest first, and their times."""

    name: str
    rows: NDArray[np.int64]
    times: Times


def read_parts(
    table: Table, columns: Sequence[str], rule: TimeRule, *, positive: bool = False, last: int | None = None
) -> Parts:
    """The measurements `columns` of `table`, one part per series.

    A rule with a step holds the rows to it, those of each series that are among its `last` where gaps are refused.

    Returns:
        Parts of float32 (rows, columns) each, and the rule with the step and the form of dates that were found.

    Raises:
        InputError: naming the line, where a value is no number, a time cannot be read, is of another form than the
            first, comes twice or out of order, or leaves a gap that is not to be filled; naming both settings, where
            dates have two readings.
    """
    values = measured(table, columns, missing=rule.missing, gaps=rule.gaps, positive=positive, found=rule.step is None)
    members = groups_of(table, rule.series)
    if not rule.columns:
        found = [_even(name, values[rows], None, rule) for name, rows in members.items()]
        return Parts(tuple(part for part, _ in found), rule, _counted(found, rule, ""))
    readings = readings_of(table, rule)
    times = _chosen(table, rule, readings, members)
    groups, newest_first = _ordered(table, rule, times, members)
    if last is not None and rule.gaps == "refuse":
        groups = [_tail(group, last) for group in groups]
    step = step_of([group.times for group in groups], middle=rule.gaps == "rows")
    if rule.step is not None:
        step = _agreed(table, step, rule.step, rule, groups)
    parts = [_part(table, rule, group, step, values) for group in groups]
    form = times.form if times.form in ("day-first", "month-first", "year-first") else "auto"
    line = f"time {rule.column}: {times.form}, {times.day(0)} to {times.day(len(table) - 1)}, one row every {step}"
    notes = [line + (", newest first: reversed" if newest_first else ""), *_counted(parts, rule, f" of {step}")]
    return Parts(tuple(part for part, _ in parts), replace(rule, dates=form, step=step), tuple(notes))


def groups_of(table: Table, series: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Name -> int64 (n,), the rows of each series, in the order in which they begin."""
    if not series:
        return {"": np.arange(len(table))}
    found: dict[str, list[int]] = {}
    for row, cells in enumerate(zip(*(table.column(name) for name in series))):
        found.setdefault(" / ".join(cells), []).append(row)
    return {name: np.array(rows, np.int64) for name, rows in found.items()}


def readings_of(table: Table, rule: TimeRule) -> tuple[Times, ...]:
    """Every reading of the time column (rows).

    Raises:
        InputError: naming the first line that is no time, or is of another form than those before it.
    """
    cells = time_cells(table, rule.columns)
    readings = read_times(cells, rule.dates)
    if readings:
        return readings
    _, row = furthest_read(cells, rule.dates)
    if row == 0:
        hint = ""
        if rule.dates != "auto" and read_times(cells[:1]):
            hint = f"It is no {rule.dates} date."
        raise InputError(table.where(0), f"column {rule.column} must hold {ACCEPTED}", cells[0], hint)
    rule_text = f"column {rule.column} must hold times of one form, that of {cells[0]!r}"
    raise InputError(table.where(row), rule_text, cells[row])


def time_cells(table: Table, columns: Sequence[str]) -> Sequence[str]:
    """The cells (rows) of the time: those of two columns side by side."""
    cells = [table.column(name) for name in columns]
    return cells[0] if len(cells) == 1 else [" ".join(row) for row in zip(*cells)]


def _chosen(table: Table, rule: TimeRule, readings: tuple[Times, ...], members: dict[str, NDArray[np.int64]]) -> Times:
    """The one reading: by the unit of training, or by what makes the rows even, or at least sorted."""
    if rule.step is not None and (rule.step.unit == "number") != (readings[0].unit == "number"):
        readings = tuple(each for each in readings if each.unit == rule.step.unit) or readings
    orders = [each for each in readings if each.form in ("day-first", "month-first", "year-first")]
    if len(orders) < 2 or readings[0] not in orders or len(table) < 2:
        return readings[0]
    for fits in (_is_even, _is_sorted):
        fitting = [each for each in orders if all(fits(each.places[rows], each) for rows in members.values())]
        if len(fitting) == 1:
            return fitting[0]
    cell = time_cells(table, rule.columns)[0]
    both = ", ".join(f"{each.day(0)} by data.dates={each.form}" for each in orders)
    raise InputError(table.where(0), f"column {rule.column}: {cell!r} has two readings", both, "Set one of them.")


def _is_sorted(places: NDArray[np.float64], times: Times) -> bool:
    gaps = np.diff(places)
    return bool((gaps > 0).all() or (gaps < 0).all())


def _is_even(places: NDArray[np.float64], times: Times) -> bool:
    if not _is_sorted(places, times):
        return False
    part = replace(times, places=np.sort(places))
    slots = slots_of(part, step_of([part]))
    return slots.off is None and not slots.missing


def _ordered(
    table: Table, rule: TimeRule, times: Times, members: dict[str, NDArray[np.int64]]
) -> tuple[list[_Group], bool]:
    """The rows of each series, oldest first, and whether the file has the newest first."""
    falling = [bool((np.diff(times.places[rows]) < 0).all()) for rows in members.values() if len(rows) > 1]
    newest_first = bool(falling) and all(falling)
    groups = []
    for name, rows in members.items():
        rows = rows[::-1] if newest_first else rows
        late = np.flatnonzero(np.diff(times.places[rows]) <= 0)
        if len(late):
            row = int(rows[late[0] + 1])
            text = "must be later than the line before it: sorted, each time once"
            cell = time_cells(table, rule.columns)[row]
            hint = "" if rule.series or rule.step is not None else "Set data.series=COLUMN if these are several series."
            raise InputError(table.where(row), f"column {rule.column} {text}", cell, hint)
        groups.append(_Group(name, rows, replace(times, places=times.places[rows])))
    return groups, newest_first


def _tail(group: _Group, last: int) -> _Group:
    first = max(0, len(group.rows) - last)
    return _Group(group.name, group.rows[first:], replace(group.times, places=group.times.places[first:]))


def _agreed(table: Table, found: Step, wanted: Step, rule: TimeRule, groups: list[_Group]) -> Step:
    """The step of training, which the rows must have: a few rows may not show that they are weekdays or months."""
    for group in groups:
        if rule.gaps == "rows":
            same = found.size <= 0 or (found.unit == wanted.unit and 0.5 < found.size / wanted.size < 2)
        else:
            slots = slots_of(group.times, wanted)
            same = (slots.off is None and slots.commonest <= 1) or same_step(found, wanted)
        if not same:
            row = int(group.rows[min(1, len(group.rows) - 1)])
            raise InputError(table.where(row), f"rows must be {wanted} apart, as in training", str(found))
    return wanted


def _part(table: Table, rule: TimeRule, group: _Group, step: Step, values: NDArray[np.float32]) -> tuple[Part, int]:
    slots = slots_of(group.times, step)
    if rule.gaps == "rows":
        return _even(group.name, values[group.rows], None, rule)
    gap = slots.off if slots.off is not None else slots.first_gap
    if gap is not None and (rule.gaps == "refuse" or slots.off is not None or _too_many(slots)):
        _refuse(table, rule, group, step, slots, gap)
    return _even(group.name, values[group.rows], slots, rule)


def _refuse(table: Table, rule: TimeRule, group: _Group, step: Step, slots: Slots, gap: int) -> None:
    cells = time_cells(table, rule.columns)
    row, before = int(group.rows[gap]), int(group.rows[gap - 1])
    received = f"{cells[before]} and then {cells[row]}"
    if slots.off is not None or _too_many(slots):
        hint = "Rows are not evenly spaced: set data.gaps=rows to count them, whatever the time between."
    else:
        by = "rows" if step.unit == "weekday" else "interpolate"
        means = {
            "interpolate": "data.gaps=interpolate (a straight line)",
            "fill": "data.gaps=fill (the value before)",
            "rows": "data.gaps=rows (rows are counted, whatever the time between)",
        }
        first, *others = [means.pop(by), *means.values()]
        lost = "1 row is" if slots.missing == 1 else f"{slots.missing:,} rows are"
        hint = f"{lost} missing, and the model needs evenly spaced ones: set {first}, {' or '.join(others)}."
    if rule.step is not None:
        hint = "Fill the gap, or cut the table there: the model needs evenly spaced rows."
    raise InputError(table.where(row), f"column {rule.column} must rise by {step} a row", received, hint)


def _too_many(slots: Slots) -> bool:
    return slots.missing > MOST_FILLED * len(slots.numbers)


def _even(name: str, values: NDArray[np.float32], slots: Slots | None, rule: TimeRule) -> tuple[Part, int]:
    """A part without gaps, and how many of its values were filled in or left out."""
    if slots is not None and slots.missing:
        values = on_grid(values, slots.numbers)
    found, count = filled(values, rule.gaps)
    return Part(name, found), count


def _counted(parts: Sequence[tuple[Part, int]], rule: TimeRule, step: str) -> tuple[str, ...]:
    count = sum(number for _, number in parts)
    if not count:
        return ()
    what = "rows without a value left out" if rule.gaps == "rows" else f"missing values{step} filled in"
    return (f"gaps: {count:,} {what} (data.gaps={rule.gaps})",)
