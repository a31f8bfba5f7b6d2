"""Series as statistical offices, loggers, exchanges and spreadsheets write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_ROWS = 120
_LOAD = [100 + 10 * (row % 7) + row / 4 for row in range(_ROWS)]  # exact in float32
_DAYS = [date(2023, 1, 1) + timedelta(days=row) for row in range(_ROWS)]
_MONTHS = [(2010 + row // 12, row % 12 + 1) for row in range(_ROWS)]
_SHORT = ("data.window=14", "data.horizon=3")


def _file(
    times: Sequence[object], loads: Sequence[object] = _LOAD, header: str = "time,load"
) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "load.csv"
        path.write_text(header + "\n" + "".join(f"{time},{load}\n" for time, load in zip(times, loads, strict=True)))
        return path

    return write


def _rows_of(dataset: Dataset) -> np.ndarray:
    """The rows (n, columns) that the windows of a single series are cut from."""
    store = dataset.train.store
    return np.concatenate([store[:, 0], store[-1, 1:]])


def _is_load(unit: str, size: float, wanted: Sequence[float] = _LOAD) -> Callable[[Dataset], None]:
    def require(dataset: Dataset) -> None:
        assert dataset.labels == ("load",)
        np.testing.assert_allclose(_rows_of(dataset)[:, 0], wanted, rtol=1e-6)  # float32
        assert (dataset.report["time"]["unit"], dataset.report["time"]["size"]) == (unit, size)

    return require


def _weekdays(without: int = -1) -> list[date]:
    days = [date(2023, 1, 2) + timedelta(days=row) for row in range(2 * _ROWS)]
    found = [day for day in days if day.weekday() < 5]
    return [day for place, day in enumerate(found) if place != without][:_ROWS]


def _shops(folder: Path) -> Path:
    path = folder / "shops.csv"
    lines = [
        f"{day},{shop},{load + 1000 * number}"
        for day, load in zip(_DAYS, _LOAD, strict=True)
        for number, shop in enumerate("ab")
    ]
    path.write_text("\n".join(["day,shop,sales", *lines]) + "\n")
    return path


def _both_shops(dataset: Dataset) -> None:
    assert dataset.labels == ("sales",)
    for split in (dataset.train, dataset.validation, dataset.test):
        windows = split.take(slice(None))[:, :, 0]
        assert {bool(window.min() >= 1000) for window in windows} == {False, True}  # each series is in each split
        assert (np.abs(np.diff(windows, axis=1)) < 100).all()  # and no window in both
    assert dataset.report["rows"]["series"] == ["shop"]


def _two_columns(folder: Path) -> Path:
    path, begin = folder / "air.csv", datetime(2004, 3, 10, 18)
    stamps = [begin + timedelta(hours=row) for row in range(_ROWS)]
    rows = (f"{stamp:%d/%m/%Y},{stamp:%H.%M.%S},{load}" for stamp, load in zip(stamps, _LOAD, strict=True))
    path.write_text("\n".join(["Date,Time,load", *rows]) + "\n")
    return path


def _last_column(folder: Path) -> Path:
    path = folder / "load.csv"
    path.write_text("load,day\n" + "".join(f"{load},{day}\n" for day, load in zip(_DAYS, _LOAD, strict=True)))
    return path


def _two_dates(folder: Path) -> Path:
    path = folder / "load.csv"
    rows = (f"{day},{day + timedelta(days=1)},{load}" for day, load in zip(_DAYS, _LOAD, strict=True))
    path.write_text("\n".join(["day,published,load", *rows]) + "\n")
    return path


def _with_text(folder: Path) -> Path:
    path = folder / "load.csv"
    rows = (
        f"{day},{('sun', 'rain')[row % 2]},{load}" for row, (day, load) in enumerate(zip(_DAYS, _LOAD, strict=True))
    )
    path.write_text("\n".join(["day,weather,load", *rows]) + "\n")
    return path


def _no_time(folder: Path) -> Path:
    path = folder / "load.csv"
    path.write_text("load\n" + "".join(f"{load}\n" for load in _LOAD))
    return path


def _without_time(dataset: Dataset) -> None:
    np.testing.assert_allclose(_rows_of(dataset)[:, 0], _LOAD, rtol=1e-6)
    assert dataset.report["time"] is None


def _holes(rows: Sequence[int]) -> list[object]:
    return ["" if row in rows else load for row, load in enumerate(_LOAD)]


def _line_through(rows: Sequence[int]) -> list[float]:
    kept = [row for row in range(_ROWS) if row not in rows]
    return [float(value) for value in np.interp(range(_ROWS), kept, [_LOAD[row] for row in kept])]


_GONE = (30, 31, 70)
_KEPT = [row for row in range(_ROWS) if row not in _GONE]
_JITTER = [round(row * 10 + (row * 7 % 5) / 10, 1) for row in range(_ROWS)]

CASES = (
    Case("day first, as a year shows", "forecast", _file([f"{day:%d.%m.%Y}" for day in _DAYS]),
         _is_load("second", 86_400), said=("day-first",), settings=_SHORT),
    Case("twelve days of two readings", "forecast",
         _file([f"01/{12 - row:02d}/2023" for row in range(12)], _LOAD[:12][::-1]),
         _is_load("second", 86_400, _LOAD[:12]), flag="data.dates=month-first", said=("newest first: reversed",),
         settings=("data.window=2", "data.horizon=1")),
    Case("months by name", "forecast", _file([f"{date(year, month, 1):%b-%y}" for year, month in _MONTHS]),
         _is_load("month", 1), said=("2010-01 to 2019-12",), settings=_SHORT),
    Case("days by name", "forecast", _file([f"{day:%-d %B %Y}" for day in _DAYS]), _is_load("second", 86_400),
         settings=_SHORT),
    Case("months of statistical offices", "forecast", _file([f"{year}M{month:02d}" for year, month in _MONTHS]),
         _is_load("month", 1), settings=_SHORT),
    Case("quarters", "forecast", _file([f"{1990 + row // 4}Q{row % 4 + 1}" for row in range(_ROWS)]),
         _is_load("month", 3), settings=_SHORT),
    Case("years", "forecast", _file(range(1900, 1900 + _ROWS)), _is_load("number", 1), settings=_SHORT),
    Case("seconds since 1970", "forecast", _file([1_600_000_000 + 600 * row for row in range(_ROWS)]),
         _is_load("second", 600), said=("seconds since 1970", "2020-09-13"), settings=_SHORT),
    Case("milliseconds since 1970", "forecast", _file([1_600_000_000_000 + 60_000 * row for row in range(_ROWS)]),
         _is_load("second", 60), said=("milliseconds since 1970",), settings=_SHORT),
    Case("newest first", "forecast", _file(_DAYS[::-1], _LOAD[::-1]), _is_load("second", 86_400),
         said=("newest first: reversed",), settings=_SHORT),
    Case("weekdays", "forecast", _file(_weekdays()), _is_load("weekday", 1), said=("1 weekday",), settings=_SHORT),
    Case("weekdays without a holiday", "forecast", _file(_weekdays(without=40)), _is_load("weekday", 1),
         flag="data.gaps=rows", settings=_SHORT),
    Case("missing days", "forecast", _file([_DAYS[row] for row in _KEPT], [_LOAD[row] for row in _KEPT]),
         _is_load("second", 86_400, _line_through(_GONE)), flag="data.gaps=interpolate", said=("3 missing values",),
         settings=_SHORT),
    Case("empty cells", "forecast", _file(_DAYS, _holes(_GONE)), _is_load("second", 86_400, _line_through(_GONE)),
         flag="data.gaps=interpolate", settings=_SHORT),
    Case("a logger's uneven seconds", "forecast", _file(_JITTER), lambda dataset: None, flag="data.gaps=rows",
         settings=_SHORT),
    Case("several series in one table", "forecast", _shops, _both_shops, flag="data.series=shop",
         said=("series: 2, each split in time",), settings=_SHORT),
    Case("a date and a time of day", "forecast", _two_columns, _is_load("second", 3600), said=("'Date' and 'Time'",),
         settings=_SHORT),
    Case("the time in the last column", "forecast", _last_column, _is_load("second", 86_400), said=("time 'day'",),
         settings=_SHORT),
    Case("two columns of dates", "forecast", _two_dates, _is_load("second", 86_400), flag="data.time=day",
         settings=(*_SHORT, "data.columns=load")),
    Case("a column of words", "forecast", _with_text, _is_load("second", 86_400), flag="data.columns=load",
         settings=_SHORT),
    Case("no time at all", "forecast", _no_time, _without_time, flag="data.columns=load", settings=_SHORT),
    Case("a window for its season", "forecast", _file(_DAYS), _is_load("second", 86_400),
         said=("season 7 rows, window 14 rows: two seasons",), settings=("data.horizon=3",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_odd_series_is_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
