"""The time column of a series: evenly spaced or refused, with the line."""

from __future__ import annotations

import pytest

from dltk.base.errors import InputError
from dltk.edge.sources.tables import read_table
from dltk.edge.sources.times import Step, require_regular, step_of


def table(folder, *times):
    path = folder / "load.csv"
    path.write_text("time,load\n" + "".join(f"{time},1\n" for time in times))
    return read_table(path)


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (("2024-01-30", "2024-01-31", "2024-02-01"), Step("second", 86_400)),
        (("2012/1/9", "2012/01/10"), Step("second", 86_400)),
        (("2024-01-01 22:00", "2024-01-01 23:00", "2024-01-02 00:00"), Step("second", 3600)),
        (("2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"), Step("second", 3600)),  # a clock put forward
        (("2023-11", "2023-12", "2024-01"), Step("month", 1)),
        (("2023-11-01", "2023-12-01", "2024-01-01"), Step("month", 1)),  # 30 and 31 days, but months
        (("1999", "2000", "2001"), Step("number", 1)),
        (("0.1", "0.2", "0.30000000000000004"), Step("number", 0.1)),
        (("1700000000.1", "1700000000.2", "1700000000.3"), Step("number", 0.1)),
        (("7",), Step("number", 0)),
    ],
)
def test_evenly_spaced_rows_have_one_step(tmp_path, times, step):
    found = step_of(table(tmp_path, *times), "time")
    assert found.unit == step.unit
    assert found.size == pytest.approx(step.size, rel=1e-5)  # large times keep few digits of small steps


@pytest.mark.parametrize(
    ("times", "place"),
    [
        (("2024-01-02", "2024-01-01", "2024-01-03"), "line 3.*later than the line before"),
        (("2024-01-01", "2024-01-01"), "line 3.*each time once"),
        (("2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"), "line 4.*must rise by 1 day.*Fill the gap"),
        (("2024-01", "2024-02", "2024-04", "2024-05"), "line 4.*must rise by 1 months"),
        (("1", "2", "3", "5"), "line 5.*must rise by 1 a row; received 3 and then 5"),
        (("2024-01-01", "02.01.2024"), "line 3.*times of one form, that of '2024-01-01'; received 02.01.2024"),
        (("2024-01-01 00:00", "2024-01-01 01:00+00:00"), "line 3.*one form"),
        (("1", "2024-01-02"), "line 3.*one form"),
        (("2024-13", "2024-14"), "line 2.*ISO date.*received 2024-13"),
        (("monday", "tuesday"), "line 2.*ISO date"),
        (("nan", "1"), "line 2.*ISO date"),
    ],
)
def test_what_is_not_evenly_spaced_names_its_line(tmp_path, times, place):
    with pytest.raises(InputError, match=place) as caught:
        step_of(table(tmp_path, *times), "time")
    assert "load.csv" in str(caught.value)


def test_only_the_last_rows_are_held_to_the_step(tmp_path):
    rows = table(tmp_path, "2024-01-01", "2024-03-01", "2024-03-02", "2024-03-03")
    require_regular(rows, "time", Step("second", 86_400), last=3)
    with pytest.raises(InputError, match="line 3"):
        require_regular(rows, "time", Step("second", 86_400), last=4)
    with pytest.raises(InputError, match=r"line 4: rows must be 1:00:00 apart.*received 1 day"):
        require_regular(rows, "time", Step("second", 3600), last=3)
    require_regular(rows, "time", Step("second", 3600), last=1)  # one row has no step
