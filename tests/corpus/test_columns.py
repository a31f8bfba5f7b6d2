"""Tables whose columns are odd: missing values by many names, dates, identifiers, units, copies, rare classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_COUNT = 90


def _csv(header: str, rows: Sequence[str]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "table.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write


def _all(dataset: Dataset, field: str) -> np.ndarray:
    """Every row's numbers or categories, in the order of the file."""
    splits = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([split.rows for split in splits])
    found = np.concatenate([split.take(slice(None))[field] for split in splits])
    return found[np.argsort(rows)]


def _columns(dataset: Dataset, **wanted: object) -> None:
    found = dataset.report["columns"]
    assert {key: found.get(key) for key in wanted} == wanted


def _value(row: int) -> float:
    return 10.0 + (row * 37 % 89) / 4


def _missing_by_two_names() -> Case:
    rows = [
        f"{'NA' if n % 9 == 4 else _value(n)},{'?' if n % 11 == 5 else n % 13},{'?' if n == 7 else 'hl'[n % 2]}"
        for n in range(_COUNT)
    ]

    def require(dataset: Dataset) -> None:
        numbers = _all(dataset, "numbers")
        kept = [n for n in range(_COUNT) if n != 7]
        assert dataset.labels == ("h", "l")
        wanted = [[np.nan if n % 9 == 4 else _value(n), np.nan if n % 11 == 5 else n % 13] for n in kept]
        np.testing.assert_array_equal(numbers[:, :2], np.float32(wanted))
        np.testing.assert_array_equal(numbers[:, 2:], np.isnan(wanted))
        assert dataset.report["dropped"]["unlabelled"] == 1

    said = ("1 of 90 rows have no target", "empty cells of 'a' (10), 'b' (8) are filled with the mean")
    return Case("NA and ? in numbers and target", "tabular", _csv("a,b,y", rows), require, "data.missing=NA,?", said)


def _sentinel() -> Case:
    rows = [f"{-200 if n % 6 == 0 else _value(n)},{_value(n + 1)},{'hl'[n % 2]}" for n in range(_COUNT)]

    def require(dataset: Dataset) -> None:
        assert np.nanmin(_all(dataset, "numbers")[:, 0]) == -200  # as it is in the file, but pointed out

    said = ("-200 in 'co' (15 rows)", "data.missing=-200")
    return Case("a far, repeated value", "tabular", _csv("co,no,y", rows), require, None, said)


def _sentinel_named() -> Case:
    rows = [f"{'-200.0' if n % 6 == 0 else _value(n)},{_value(n + 1)},{-200 if n % 30 == 3 else _value(n) * 3}"
            for n in range(_COUNT)]  # fmt: skip

    def require(dataset: Dataset) -> None:
        kept = [n for n in range(_COUNT) if n % 30 != 3]
        first = _all(dataset, "numbers")[:, 0]
        np.testing.assert_array_equal(np.isnan(first), [n % 6 == 0 for n in kept])
        assert dataset.report["kind"] == "values"

    said = ("3 of 90 rows have no target",)
    settings = ("data.missing=-200",)
    return Case("-200 named as missing", "tabular", _csv("co,no,y", rows), require, None, said, settings)


def _odd_cell_in_values() -> Case:
    rows = [f"{_value(n)},{'offline' if n == 40 else _value(n + 3)}" for n in range(_COUNT)]

    def require(dataset: Dataset) -> None:
        assert (dataset.report["kind"], dataset.labels) == ("values", ())
        assert len(_all(dataset, "numbers")) == _COUNT - 1

    return Case("values with one odd cell", "tabular", _csv("x,y", rows), require, "data.missing=offline")


def _no_label() -> Case:
    rows = [f"{_value(n)},{'' if n % 10 == 0 else 'hl'[n % 2]}" for n in range(_COUNT)]

    def require(dataset: Dataset) -> None:
        assert len(_all(dataset, "numbers")) == _COUNT - 9

    return Case("rows without a label", "tabular", _csv("x,y", rows), require, "data.unlabelled=drop")


def _identifiers() -> Case:
    codes = [n * 7919 % 1009 for n in range(_COUNT)]
    rows = [f"{n + 1},P-{code:04d},{1000 + code},{_value(n)},{'hl'[n % 2]}" for n, code in enumerate(codes)]

    def require(dataset: Dataset) -> None:
        _columns(dataset, numbers=["x"], categories=[])
        assert dataset.report["left_out"] == ["row", "part", "customerID"]

    said = ("column 'row' is left out", "data.categories=part", "column 'customerID' is left out")
    return Case("identifiers", "tabular", _csv("row,part,customerID,x,y", rows), require, None, said)


def _dates(name: str, form: str, order: str, flag: str | None = None, days: int = 5, hours: int = 0) -> Case:
    start = datetime(2021, 1, 3, 6)
    stamps = [start + timedelta(days=n * days, hours=n * hours) for n in range(_COUNT)]
    stamps = [stamp.replace(day=min(stamp.day, 12)) for stamp in stamps] if flag else stamps
    rows = [f'"{stamp.strftime(form)}",{_value(n)},{"hl"[n % 2]}' for n, stamp in enumerate(stamps)]

    def require(dataset: Dataset) -> None:
        (date,) = dataset.report["columns"]["dates"]
        parts = ["year", "season", "weekday", "hour"] if hours else ["year", "season", "weekday"]
        assert date == {"column": "when", "order": order, "parts": parts}
        years = _all(dataset, "numbers")[:, 1]
        wanted = [stamp.year + (stamp.timetuple().tm_yday - 1) / 365 for stamp in stamps]
        np.testing.assert_allclose(years, wanted, atol=0.003)  # a day is 0.0027 years
        weekday = _all(dataset, "numbers")[:, 4:6]
        turns = np.array([2 * np.pi * stamp.weekday() / 7 for stamp in stamps])
        np.testing.assert_allclose(weekday, np.stack([np.sin(turns), np.cos(turns)], axis=1), atol=1e-6)

    said = (f"column 'when': dates, {order}",)
    return Case(name, "tabular", _csv("when,x,y", rows), require, flag, said)


def _units() -> Case:
    rows = [f'{n % 40 + 0.5}%,"${1000 + 13 * n:,}",{"hl"[n % 2]}' for n in range(_COUNT)]

    def require(dataset: Dataset) -> None:
        _columns(dataset, numbers=["share", "price"], signs=[["share", "%"], ["price", "$"]])
        wanted = [[n % 40 + 0.5, 1000 + 13 * n] for n in range(_COUNT)]
        np.testing.assert_array_equal(_all(dataset, "numbers"), np.float32(wanted))

    said = ("'0.5%' is 0.5", "'$1,000' is 1000")
    return Case("percentages and prices", "tabular", _csv("share,price,y", rows), require, None, said)


def _many_classes() -> Case:
    rows = [f"{_value(n)},kind {n % 60}" for n in range(360)]

    def require(dataset: Dataset) -> None:
        assert len(dataset.labels) == 60

    return Case("60 classes", "tabular", _csv("x,y", rows), require, "data.rare=keep")


def _rare_classes() -> Case:
    rows = [f"{_value(n)},{'rarest' if n == 5 else 'rare' if n % 30 == 1 else 'hl'[n % 2]}" for n in range(_COUNT)]

    def require(dataset: Dataset) -> None:
        assert dataset.labels == ("h", "l", "other")
        assert dataset.report["columns"]["rest"] == "other"

    said = ("2 classes of a few rows: 4 rows become 'other'",)
    return Case("classes of a few rows", "tabular", _csv("x,y", rows), require, "data.rare=other", said)


def _copies() -> Case:
    rows = [f"{_value(n)},{n % 7},{'hl'[n % 2]}" for n in range(80)]
    rows += [rows[n] for n in range(0, 80, 8)]

    def require(dataset: Dataset) -> None:
        splits = (dataset.train, dataset.validation, dataset.test)
        values = [{row.tobytes() for row in split.take(slice(None))} for split in splits]
        assert sum(map(len, values)) == len(set.union(*values))
        assert dataset.report["duplicate_rows"]["left_out"] > 0

    said = ("rows equal a row of another split and are left out",)
    return Case("the same rows twice", "tabular", _csv("x,k,y", rows), require, None, said)


def _booleans() -> Case:
    rows = [f"{'yes' if n % 3 else 'no'},{n % 2 == 0},{_value(n)},{'YN'[n % 2]}" for n in range(_COUNT)]

    def require(dataset: Dataset) -> None:
        _columns(dataset, numbers=["x"], categories=["paid", "new"])
        assert dataset.labels == ("N", "Y")
        assert len(np.unique(_all(dataset, "categories"), axis=0)) == 4

    return Case("yes and no, True and False", "tabular", _csv("paid,new,x,y", rows), require)


CASES = (
    _missing_by_two_names(),
    _sentinel(),
    _sentinel_named(),
    _odd_cell_in_values(),
    _no_label(),
    _identifiers(),
    _dates("ISO times", "%Y-%m-%d %H:%M:%S", "year-first", hours=5),
    _dates("German dates", "%d.%m.%Y", "day-first"),
    _dates("days first", "%d/%m/%Y", "day-first"),
    _dates("month names", "%B %d, %Y", "year-first"),
    _dates("days or months first", "%m/%d/%Y", "month-first", "data.dates=month-first"),
    _dates("days without separators", "%Y%m%d", "year-first"),
    _units(),
    _many_classes(),
    _rare_classes(),
    _copies(),
    _booleans(),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odd_columns_are_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
