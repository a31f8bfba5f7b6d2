"""One cell with a date, a month or a quarter, in the forms that tables have, to its place in time."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache

__all__ = ["DAY_FORMS", "MONTH_FORMS", "ORDERS", "Place", "moment"]

Place = tuple[float, bool]  # seconds since 1970, or months since year 0; whether the time has a zone

ORDERS = ("day-first", "month-first", "year-first")  # of the numbers in a date such as 03/04/21

_LONGEST = 64  # letters of a cell that may be a time
_EPOCH = datetime(1970, 1, 1)
_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_YEAR, _NAME = r"(?P<year>\d{4}|'?\d{2})", r"(?P<name>[a-z]{3,9})\.?"
_ISO = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"(?P<year>(?:18|19|20|21)\d{2})(?P<month>\d{2})(?P<day>\d{2})", re.ASCII)
_NUMBERS = re.compile(r"(?P<first>\d{1,2})([-/.])(?P<second>\d{1,2})\2(?P<third>\d{4}|\d{2})", re.ASCII)
_NAMED = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?[-/ ]*{_NAME}[-/ ,]*{_YEAR}",
        rf"{_NAME}[- ]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:, ?| |-){_YEAR}",
        rf"(?P<year>\d{{4}})[-/ ]{_NAME}[-/ ](?P<day>\d{{1,2}})",
    )
)
_WEEK = re.compile(r"(?P<year>\d{4})-?w(?P<week>\d{1,2})(?:-?(?P<day>[1-7]))?", re.ASCII)
_CLOCK = re.compile(
    r"(?:t|,? ?)(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?)?"
    r" ?(?P<half>[ap]\.?m\.?)? ?(?P<zone>z|utc|gmt|[-+]\d{2}:?\d{2}|[-+]\d{2})?",
    re.ASCII,
)
_MONTH = re.compile(r"(?P<year>\d{4})(?:[-/ ]|[-/ ]?m)(?P<month>\d{1,2})", re.ASCII)
_MONTH_COMPACT = re.compile(r"(?P<year>(?:18|19|20|21)\d{2})(?P<month>\d{2})", re.ASCII)
_MONTH_YEAR = re.compile(r"(?P<month>\d{1,2})[-/](?P<year>\d{4})", re.ASCII)
_NAMED_MONTH = tuple(
    re.compile(pattern, re.ASCII) for pattern in (rf"{_NAME}[-/ ,]*{_YEAR}", rf"(?P<year>\d{{4}})[-/ ]*{_NAME}")
)
_QUARTER = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<year>\d{4})[-/ .:]?q(?P<quarter>[1-4])",
        rf"q(?P<quarter>[1-4])[-/ .:]*{_YEAR}",
        rf"(?P<quarter>[1-4])q[-/ .:]*{_YEAR}",
    )
)


def moment(text: str) -> datetime:
    """The date and time in ISO 8601 form; ValueError for any other text. Before Python 3.11, "Z" was not understood."""
    return datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)


def _split(cell: str, pattern: re.Pattern[str]) -> tuple[re.Match[str], str] | None:
    """A date at the start of the cell, and what stands behind it; a name of a weekday before it is left out."""
    text = " ".join(cell[: _LONGEST + 1].lower().split())
    if len(text) > _LONGEST:
        return None
    first, _, rest = text.partition(" ")
    if rest and any(day.startswith(first.rstrip(".,")) for day in _WEEKDAYS) and len(first.rstrip(".,")) > 2:
        text = rest
    found = pattern.match(text)
    return None if found is None else (found, text[found.end() :])


@lru_cache(maxsize=10_000)
def _clock(text: str) -> tuple[float, bool] | None:
    """Seconds after midnight, UTC where there is a zone, and whether there is one; None if it is no time of day."""
    if not text:
        return 0.0, False
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if found["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found["half"][0] == "p" else 0)
    if minute > 59 or second > 59 or hour * 3600 + minute * 60 + second > 86_400:  # 24:00 ends the day
        return None
    seconds = hour * 3600 + minute * 60 + second + float(f"0.{found['part'] or 0}")
    zone = found["zone"]
    if zone and zone[0] in "+-":
        ahead = int(zone[1:3]) * 3600 + int(zone[3:].lstrip(":") or 0) * 60
        seconds -= ahead if zone[0] == "+" else -ahead
    return seconds, bool(zone)


def _day(year: int, month: int, day: int, rest: str) -> Place | None:
    clock = _clock(rest)
    if clock is None:
        return None
    try:
        midnight = (datetime(year, month, day) - _EPOCH).total_seconds()
    except ValueError:
        return None
    return midnight + clock[0], clock[1]


def _named_parts(found: re.Match[str], rest: str) -> Place | None:
    return _day(int(found["year"]), int(found["month"]), int(found["day"]), rest)


def _full_year(text: str) -> int:
    """21 is 2021 and 69 is 1969, as POSIX has it."""
    short = text.lstrip("'")
    year = int(short)
    return year if len(short) == 4 else year + (2000 if year < 69 else 1900)


def _month_of(name: str) -> int | None:
    found = [number for number, each in enumerate(_NAMES, start=1) if each.startswith(name)]
    return found[0] if found and (len(name) == 3 or name in (*_NAMES, "sept", "june", "july")) else None


def _iso(cell: str) -> Place | None:
    """2024-01-31, 2024/1/31 or 2024.01.31, and maybe a time of day."""
    found = _split(cell, _ISO)
    return None if found is None else _named_parts(*found)


def _compact(cell: str) -> Place | None:
    """20240131."""
    found = _split(cell, _COMPACT)
    if found is None or found[1][:1].isdigit():
        return None
    return _named_parts(*found)


def _ordered(cell: str, order: str) -> Place | None:
    """31/01/2024, 1/31/24 or 24/01/31, with the numbers in `order`."""
    found = _split(cell, _NUMBERS)
    if found is None or found[1][:1].isdigit():
        return None
    first, second, third = (found[0][name] for name in ("first", "second", "third"))
    if order == "year-first":
        short = len(first) == len(third) == 2
        return _day(_full_year(first), int(second), int(third), found[1]) if short else None
    day, month = (first, second) if order == "day-first" else (second, first)
    return _day(_full_year(third), int(month), int(day), found[1])


def _named(cell: str) -> Place | None:
    """3 Jan 2021, 03-Jan-21, January 3, 2021 or 2021-Jan-03."""
    for pattern in _NAMED:
        found = _split(cell, pattern)
        if found is None or found[1][:1].isdigit():
            continue
        month = _month_of(found[0]["name"])
        if month is not None:
            return _day(_full_year(found[0]["year"]), month, int(found[0]["day"]), found[1])
    return None


def _week(cell: str) -> Place | None:
    """2021-W03 or 2021-W03-1, a week of ISO 8601: its Monday where no day is given."""
    found = _split(cell, _WEEK)
    if found is None or found[1]:
        return None
    parts = found[0]
    try:
        day = date.fromisocalendar(int(parts["year"]), int(parts["week"]), int(parts["day"] or 1))
    except ValueError:
        return None
    return (datetime(day.year, day.month, day.day) - _EPOCH).total_seconds(), False


def _months(pattern: re.Pattern[str], cell: str) -> Place | None:
    found = _split(cell, pattern)
    if found is None or found[1]:
        return None
    parts = found[0].groupdict()
    if "quarter" in parts:
        month: int | None = int(parts["quarter"]) * 3 - 2
    else:
        month = _month_of(parts["name"]) if "name" in parts else int(parts["month"])
    if month is None or not 1 <= month <= 12:
        return None
    return _full_year(parts["year"]) * 12.0 + month - 1, False


def _first_of(*patterns: re.Pattern[str]) -> Callable[[str], Place | None]:
    def read(cell: str) -> Place | None:
        return next((place for pattern in patterns if (place := _months(pattern, cell)) is not None), None)

    return read


# Places in seconds since 1970, by the form of the date.
DAY_FORMS: dict[str, Callable[[str], Place | None]] = {
    "year-month-day": _iso,
    "YYYYMMDD": _compact,
    "day-first": lambda cell: _ordered(cell, "day-first"),
    "month-first": lambda cell: _ordered(cell, "month-first"),
    "year-first": lambda cell: _ordered(cell, "year-first"),
    "named-month": _named,
    "week": _week,
}
# Places in months since year 0.
MONTH_FORMS: dict[str, Callable[[str], Place | None]] = {
    "year-month": _first_of(_MONTH),
    "YYYYMM": _first_of(_MONTH_COMPACT),
    "month-year": _first_of(_MONTH_YEAR),
    "month": _first_of(*_NAMED_MONTH),
    "quarter": _first_of(*_QUARTER),
}
