"""A date in a cell as numbers: the year, and the season, the weekday and the hour as points on a circle."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dltk.edge.bundle.op_table import DATE_PARTS

__all__ = ["DateColumn", "date_of", "numbers_of_date"]

_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d{1,9})?)?(?:\s?([AP]M))?(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
_TIME = rf"(?:[T ,]\s*{_CLOCK})?"
_NAMES = "january february march april may june july august september october november december"
_MONTHS = [name[:3] for name in _NAMES.split()]
_WORD = rf"({'|'.join([*_NAMES.split(), 'sept', *_MONTHS])})\.?"
_FORMS = {
    name: re.compile(form + _TIME, re.IGNORECASE | re.ASCII)
    for name, form in {
        "ymd": r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})",
        "compact": r"((?:18|19|20|21)\d{2})(\d{2})(\d{2})",
        "month y": rf"{_WORD}[-/ ,]\s?(\d{{4}})",
        "ym": r"(\d{4})[-/](\d{1,2})",
        "slashed": r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})",
        "d word y": rf"(\d{{1,2}})[-/ ]{_WORD}[-/ ,]\s?(\d{{4}}|\d{{2}})",
        "word d y": rf"{_WORD}[- ](\d{{1,2}})(?:,? |-)(\d{{4}})",
    }.items()
}
_FORMS["clock"] = re.compile(_CLOCK, re.IGNORECASE | re.ASCII)
_CENTURY = 69  # two digits below are years from 2000 on, as in POSIX
_LONGEST = 60  # characters of a cell that may be a date


@dataclass(frozen=True)
class DateColumn:
    """How the cells of a column are read as dates, and what becomes of each.

    Attributes:
        column: its name.
        order: of day and month in cells such as 3/4/2024, one of `DATE_ORDERS`; "year-first" reads no such cells.
        parts: among "year", "season", "weekday" and "hour".
    """

    column: str
    order: str
    parts: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many numbers a date becomes."""
        return sum(DATE_PARTS[part] for part in self.parts)

    def op(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"column": self.column, "order": self.order, "parts": list(self.parts)}

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> DateColumn:
        """What `op` gave, after it was checked."""
        return cls(found["column"], found["order"], tuple(found["parts"]))


def date_of(cell: str, order: str) -> datetime | None:
    """The date, and the time of day if there is one, in `cell`; None if it is no date in this order.

    A zone is not counted in: the hour is that of the place. A time of day alone is one of 1 January 1970.
    """
    text = cell.strip()
    if len(text) > _LONGEST or not any(letter.isdigit() for letter in text):
        return None
    for name, form in _FORMS.items():
        found = form.fullmatch(text)
        if found is not None:
            return _date(name, found.groups(), order)
    return None


def _date(name: str, groups: Sequence[Any], order: str) -> datetime | None:
    if name == "ymd":
        year, month, day = groups[0], groups[2], groups[3]
    elif name == "clock":
        year, month, day = 1970, 1, 1
    elif name == "compact":
        year, month, day = groups[:3]
    elif name == "month y":
        year, month, day = groups[1], _MONTHS.index(groups[0][:3].lower()) + 1, 1
    elif name == "ym":
        year, month, day = groups[0], groups[1], 1
    elif name == "d word y":
        day, month, year = groups[0], _MONTHS.index(groups[1][:3].lower()) + 1, groups[2]
    elif name == "word d y":
        month, day, year = _MONTHS.index(groups[0][:3].lower()) + 1, groups[1], groups[2]
    else:
        if order == "year-first":
            return None
        first, second, year = groups[0], *groups[2:4]
        day, month = (second, first) if order == "month-first" else (first, second)
    whole = int(year) + (0 if len(str(year)) == 4 else 2000 if int(year) < _CENTURY else 1900)
    try:
        return datetime(whole, int(month), int(day)) + _time_of_day(*groups[-4:])
    except (ValueError, OverflowError):
        return None


def _time_of_day(hour: str | None, minute: str | None, second: str | None, half: str | None) -> timedelta:
    if hour is None or minute is None:
        return timedelta()
    hours = int(hour)
    if half is not None:
        if not 1 <= hours <= 12:
            raise ValueError(f"{hours} is no hour before or after noon")
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    if hours > 23 or int(minute) > 59 or int(second or 0) > 59:
        raise ValueError("no time of day")
    return timedelta(hours=hours, minutes=int(minute), seconds=int(second or 0))


def numbers_of_date(date: datetime, parts: Sequence[str]) -> list[float]:
    """The numbers of `parts`: the year with its fraction; of each other part the sine and the cosine."""
    start = datetime(date.year, 1, 1)
    leap = date.year % 4 == 0 and (date.year % 100 != 0 or date.year % 400 == 0)
    season = (date - start).total_seconds() / ((366 if leap else 365) * 86_400)
    day = (date.hour * 3600 + date.minute * 60 + date.second) / 86_400
    turns = {"season": season, "weekday": date.weekday() / 7, "hour": day}
    found: list[float] = []
    for part in parts:
        if part == "year":
            found.append(date.year + season)
        else:
            found += [math.sin(2 * math.pi * turns[part]), math.cos(2 * math.pi * turns[part])]
    return found
