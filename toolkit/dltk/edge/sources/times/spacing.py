"""How far apart rows are, and the slot of each on an even grid: slots that no row has are gaps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from dltk.edge.sources.times.forms import Times

__all__ = ["Slots", "Step", "same_step", "slots_of", "step_of"]

_ROUNDING = 1e-6  # of a step: 0.1, 0.2, 0.30000000000000004 are evenly spaced
_LAST_BITS = 1e-15  # of a time: seconds since 1970 have no finer parts
_DAY, _WEEK = 86_400.0, 7
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True)
class Step:
    """How far apart rows are.

    Attributes:
        unit: "month", "second" (of dates and times), "weekday" (Monday to Friday) or "number".
        size: how many of them.
    """

    unit: str
    size: float

    def __str__(self) -> str:
        if self.unit == "second":
            return str(timedelta(seconds=self.size)).removesuffix(", 0:00:00")
        if self.unit == "weekday":
            return "1 weekday" if self.size == 1 else f"{self.size:g} weekdays"
        if self.unit == "month":
            return "1 month" if self.size == 1 else f"{self.size:g} months"
        return f"{self.size:g}"


@dataclass(frozen=True)
class Slots:
    """Rows on a grid of even steps.

    Attributes:
        numbers: int64 (n,), of the slot of each row; the first row's is 0.
        off: the first row that lies on no slot, or None.
    """

    numbers: NDArray[np.int64]
    off: int | None

    @property
    def missing(self) -> int:
        """How many slots between the first and the last row have none."""
        return int(self.numbers[-1]) + 1 - len(self.numbers) if len(self.numbers) else 0

    @property
    def commonest(self) -> int:
        """The commonest number of slots from a row to the next, of several the smallest; 0 of one row."""
        jumps, counts = np.unique(np.diff(self.numbers), return_counts=True)
        return int(jumps[counts.argmax()]) if len(jumps) else 0

    @property
    def first_gap(self) -> int | None:
        """The first row that does not follow the row before it at one step."""
        jumps = np.flatnonzero(np.diff(self.numbers) != 1)
        return int(jumps[0]) + 1 if len(jumps) else None


def step_of(parts: Sequence[Times], *, middle: bool = False) -> Step:
    """The commonest step of all `parts`, each in increasing order: in months or weekdays where the dates fit them.

    Months: all dates lie on one day of the month, or on its last. Weekdays: days of which none is a Saturday or Sunday,
    though weekends lie between them. `middle`: the median step, of rows that are not evenly spaced.
    """
    unit = parts[0].unit
    if unit == "second":
        unit = "month" if _are_months(parts) else "weekday" if _are_weekdays(parts) else unit
    found = np.concatenate([np.diff(_places(part, unit)) for part in parts])
    if not len(found):
        return Step(unit, 0.0)
    if middle:
        return Step(unit, float(np.median(found)))
    gaps = Counter(np.round(found, 9).tolist())
    most = max(gaps.values())
    return Step(unit, min(gap for gap, count in gaps.items() if count == most))


def slots_of(times: Times, step: Step) -> Slots:
    """The slot of each row (n), in increasing order, at `step`; rows of another unit lie off the grid."""
    if len(times.places) < 2 or step.size <= 0:
        return Slots(np.arange(len(times.places)), None)
    if step.unit == "month" and times.unit == "second" and not _are_months([times]):
        return Slots(np.arange(len(times.places)), 1)
    places = _places(times, step.unit)
    # Row by row: the error of a step that was rounded must not add up over a long series.
    gaps = np.diff(places) / step.size
    room = _ROUNDING + _LAST_BITS * np.abs(places[1:]) / step.size
    jumps = np.maximum(np.round(gaps), 1)
    off = np.flatnonzero(np.abs(gaps - jumps) > room * jumps)
    if len(off):
        return Slots(np.arange(len(places)), int(off[0]) + 1)
    numbers = np.concatenate([[0.0], np.cumsum(jumps)])
    return Slots(np.minimum(numbers, 2.0**53).astype(np.int64), None)


def same_step(found: Step, wanted: Step) -> bool:
    """Whether two steps are equal, but for rounding."""
    return found.unit == wanted.unit and math.isclose(found.size, wanted.size, rel_tol=_ROUNDING)


def _places(times: Times, unit: str) -> NDArray[np.float64]:
    """Places in `unit`: seconds may be counted in months or weekdays."""
    if times.unit != "second" or unit not in ("month", "weekday"):
        return times.places
    if unit == "month":
        return np.array([_month(place) for place in times.places])
    return _weekday_number(times.places)


def _month(place: float) -> float:
    found = _date(place)
    return found.year * 12.0 + found.month - 1


def _date(place: float) -> datetime:
    return datetime(1970, 1, 1) + timedelta(seconds=float(place))


def _weekday_number(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weekdays since a Monday before 1970, with the part of the day; a weekend counts as its Friday."""
    days = places / _DAY + _EPOCH_WEEKDAY
    weeks, rest = np.divmod(days, _WEEK)
    return np.asarray(weeks * 5 + np.minimum(rest, 5))


def _are_months(parts: Sequence[Times]) -> bool:
    """Whether the dates of all parts lie on one day and time of the month, or all on its last day."""
    places = np.concatenate([part.places for part in parts])
    if len(places) < 2:
        return False
    alike: set[tuple[int, float]] = set()
    last = True
    for place in places.tolist():
        found, after = _date(place), _date(place + _DAY)
        alike.add((found.day, place % _DAY))
        last = last and after.month != found.month and place % _DAY == 0
        if len(alike) > 1 and not last:
            return False
    months = {_month(place) for place in places.tolist()}
    return len(months) > 1


def _are_weekdays(parts: Sequence[Times]) -> bool:
    """Whether the dates of all parts are whole days from Monday to Friday, and pass over weekends."""
    places = np.concatenate([part.places for part in parts])
    days = np.floor(places / _DAY).astype(np.int64)
    gaps = np.concatenate([np.diff(part.places) for part in parts]) / _DAY
    weeks = (days + _EPOCH_WEEKDAY) // _WEEK
    if (
        not len(gaps)
        or weeks.min() == weeks.max()
        or len(np.unique(places % _DAY)) > 1
        or ((days + _EPOCH_WEEKDAY) % _WEEK > 4).any()
    ):
        return False
    return bool((gaps == 1).sum() * 2 >= len(gaps))
