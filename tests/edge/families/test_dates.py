"""Dates in cells: their forms, and the numbers they become."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from dltk.edge.families.shared.dates import DateColumn, date_of, numbers_of_date


@pytest.mark.parametrize(
    ("cell", "first", "found"),
    [
        ("2024-02-29", "year", datetime(2024, 2, 29)),
        ("2024/2/9", "day", datetime(2024, 2, 9)),
        (" 2024-02-29T10:20:30.5Z ", "year", datetime(2024, 2, 29, 10, 20, 30)),
        ("2024-02-29 10:20+05:30", "month", datetime(2024, 2, 29, 10, 20)),
        ("20240229", "year", datetime(2024, 2, 29)),
        ("2024-03", "year", datetime(2024, 3, 1)),
        ("3/4/2024", "day", datetime(2024, 4, 3)),
        ("3/4/2024", "month", datetime(2024, 3, 4)),
        ("3.4.24 3:04 PM", "day", datetime(2024, 4, 3, 15, 4)),
        ("31-12-69", "day", datetime(1969, 12, 31)),
        ("3 Jan 2021", "year", datetime(2021, 1, 3)),
        ("03-SEP-21", "year", datetime(2021, 9, 3)),
        ("January 3, 2021 12:00 am", "year", datetime(2021, 1, 3)),
        ("Jan-1-1995", "year", datetime(1995, 1, 1)),
        ("8:05", "year", datetime(1970, 1, 1, 8, 5)),
        ("11:30:15 PM", "day", datetime(1970, 1, 1, 23, 30, 15)),
        ("May 1995", "year", datetime(1995, 5, 1)),
    ],
)
def test_a_date_is_read(cell, first, found):
    assert date_of(cell, f"{first}-first") == found


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("3/4/2024", "year"), ("13/14/2024", "day"), ("31/12/2024", "month"), ("2024-02-30", "year"),
        ("2023-02-29", "year"), ("2024-01-01 24:00", "year"), ("2024-01-01 13:00 PM", "year"), ("2024-13", "year"),
        ("0000-01-01", "year"), ("99991399", "year"), ("12 mayor 2020", "year"), ("1.5", "day"), ("", "day"),
        ("١/٢/2020", "day"), ("2024-01-01-01", "year"), ("2024-01/01", "year"), ("75:20", "year"), ("today", "day"),
        ("1" * 100, "day"),
    ],
)  # fmt: skip
def test_any_other_cell_is_no_date(cell, first):
    assert date_of(cell, f"{first}-first") is None


def test_a_date_becomes_a_year_and_points_on_circles():
    column = DateColumn("when", "year-first", ("year", "season", "weekday", "hour"))
    found = numbers_of_date(datetime(2023, 7, 2, 12), column.parts)  # a Sunday; half of the year is over
    assert len(found) == column.width == 7
    half = 2 * np.pi * 6 / 7
    np.testing.assert_allclose(found, [2023.5, 0, -1, np.sin(half), np.cos(half), 0, -1], atol=1e-12)
    assert numbers_of_date(datetime(2024, 1, 1), ("year", "season")) == [2024.0, 0.0, 1.0]
    assert DateColumn.of(column.op()) == column
