"""Times of a series: every form is read or refused, rows are evenly spaced, and gaps are as the rule has it."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.sources.tables import read_table
from dltk.edge.sources.times import read_times
from dltk.edge.sources.times.parts import read_parts
from dltk.edge.sources.times.rule import TimeRule
from dltk.edge.sources.times.spacing import Step


def table(folder, *times, values=None, header="time,load"):
    path = folder / "load.csv"
    cells = values or [1] * len(times)
    path.write_text(header + "\n" + "".join(f"{time},{cell}\n" for time, cell in zip(times, cells, strict=True)))
    return read_table(path)


def parts(found, **rule):
    return read_parts(found, ("load",), TimeRule(("time",), **rule))


@pytest.mark.parametrize(
    ("times", "step"),
    [
        (("2024-01-30", "2024-01-31", "2024-02-01"), Step("second", 86_400)),
        (("2012/1/9", "2012/01/10"), Step("second", 86_400)),
        (("2024-01-01 22:00", "2024-01-01 23:00", "2024-01-02 00:00"), Step("second", 3600)),
        (("2024-01-01 22:00", "2024-01-01 23:00", "2024-01-01 24:00"), Step("second", 3600)),
        (("2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"), Step("second", 3600)),  # a clock put forward
        (("2023-11", "2023-12", "2024-01"), Step("month", 1)),
        (("2023-11-01", "2023-12-01", "2024-01-01"), Step("month", 1)),  # 30 and 31 days, but months
        (("2023-11-30", "2023-12-31", "2024-01-31", "2024-02-29"), Step("month", 1)),
        (("2021Q3", "2021Q4", "2022Q1"), Step("month", 3)),
        (("2021-06-30", "2022-06-30"), Step("month", 12)),
        (("1999", "2000", "2001"), Step("number", 1)),
        (("0.1", "0.2", "0.30000000000000004"), Step("number", 0.1)),
        (("1700000000.1", "1700000000.2", "1700000000.3"), Step("second", 0.1)),
        (("1700000000000", "1700003600000"), Step("second", 3600)),
        (("2024-01-04", "2024-01-05", "2024-01-08"), Step("weekday", 1)),  # Thursday, Friday, Monday
        (("2024-01-05", "2024-01-12", "2024-01-19"), Step("second", 7 * 86_400)),
        (("2024-W01", "2024-W02"), Step("second", 7 * 86_400)),
        (("7",), Step("number", 0)),
    ],
)
def test_evenly_spaced_rows_have_one_step(tmp_path, times, step):
    found = parts(table(tmp_path, *times)).rule.step
    assert found.unit == step.unit
    assert found.size == pytest.approx(step.size, rel=1e-5)  # large times keep few digits of small steps


@pytest.mark.parametrize(
    ("cell", "form", "day"),
    [
        ("31.01.2024", "day-first", "2024-01-31"),
        ("1/31/24", "month-first", "2024-01-31"),
        ("99-01-31", "year-first", "1999-01-31"),
        ("3 Jan 2021", "named-month", "2021-01-03"),
        ("03-Jan-68", "named-month", "2068-01-03"),
        ("January 3rd, 2021", "named-month", "2021-01-03"),
        ("Sun, 03 Jan 2021 10:00:00 +0200", "named-month", "2021-01-03 08:00:00"),
        ("2021-Jan-03 1:30 PM", "named-month", "2021-01-03 13:30:00"),
        ("12:00", None, None),
        ("Jan-21", "month", "2021-01"),
        ("2021 March", "month", "2021-03"),
        ("2021M03", "year-month", "2021-03"),
        ("202103", "YYYYMM", "2021-03"),
        ("03/2021", "month-year", "2021-03"),
        ("Q2 2021", "quarter", "2021-04"),
        ("20210103", "YYYYMMDD", "2021-01-03"),
        ("1609632000", "seconds since 1970", "2021-01-03"),
        ("1609632000000000000", "nanoseconds since 1970", "2021-01-03"),
        ("2021-02-30", None, None),
        ("Mayor 2021", None, None),
        ("2021Q5", None, None),
        ("1 2021", None, None),
        ("2021-01-03 25:00", None, None),
        ("x" * 1000, None, None),
        ("9" * 400, None, None),
    ],
)
def test_a_date_is_read_in_the_form_it_has(cell, form, day):
    found = read_times([cell])
    assert (found[0].form if found else None) == form
    assert (found[0].day(0) if found else None) == day


def test_what_has_two_readings_has_both():
    assert [each.form for each in read_times(["03/04/2021"])] == ["day-first", "month-first"]
    assert [each.form for each in read_times(["03/04/21"])] == ["day-first", "month-first", "year-first"]
    assert [each.form for each in read_times(["03/04/2021", "13/04/2021"])] == ["day-first"]
    assert [each.form for each in read_times(["03/04/2021"], "month-first")] == ["month-first"]
    assert [each.form for each in read_times(["202101"])] == ["YYYYMM", "number"]
    assert len(read_times(["01/01/2021"])) == 1  # both are the same day


def test_rows_tell_the_order_of_a_date_where_only_one_is_even(tmp_path):
    months = [f"01/{month:02d}/{year}" for year in (2020, 2021) for month in range(1, 13)]
    found = parts(table(tmp_path, *months))
    assert found.rule.dates == "day-first"
    assert found.rule.step == Step("month", 1)
    assert "day-first, 2020-01-01 to 2021-12-01" in found.notes[0]
    with pytest.raises(InputError, match=r"two readings.*2024-02-01 by data\.dates=day-first.*data\.dates=month-first"):
        parts(table(tmp_path, "01/02/2024", "02/02/2024", "03/02/2024"))
    assert parts(table(tmp_path, "01/02/2024", "02/02/2024"), dates="month-first").rule.step == Step("month", 1)


@pytest.mark.parametrize(
    ("times", "place"),
    [
        (("2024-01-02", "2024-01-01", "2024-01-03"), "line 3.*later than the line before"),
        (("2024-01-01", "2024-01-01"), "line 3.*each time once"),
        (
            ("2024-01-01", "2024-01-02", "2024-01-04", "2024-01-05"),
            r"line 4.*must rise by 1 day.*1 row is missing.*set data\.gaps=interpolate",
        ),
        (("2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09", "2024-01-11"), r"1 weekday a.*set data\.gaps=rows"),
        (("2024-01-01", "2024-01-02", "2024-01-03 07:00"), r"line 4.*set data\.gaps=rows"),
        (("2024-01", "2024-02", "2024-04", "2024-05"), "line 4.*must rise by 1 month a row"),
        (("1", "2", "3", "5"), "line 5.*must rise by 1 a row; received 3 and then 5"),
        (("1", "2", "3", "5e15"), r"line 5.*set data\.gaps=rows"),
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
        parts(table(tmp_path, *times))
    assert "load.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("gaps", "wanted"),
    [
        ("fill", [1, 1, 1, 1, 5, 9, 9]),
        ("interpolate", [1, 2, 3, 4, 5, 9, 9]),
        ("rows", [1, 5, 9]),
    ],
)
def test_gaps_are_as_the_rule_has_it(tmp_path, gaps, wanted):
    """A first row without a value, three missing days, a last row without a value."""
    days = [f"2024-01-{day:02d}" for day in (1, 2, 6, 7, 8)]
    found = parts(table(tmp_path, *days, values=["", 1, 5, 9, "NA"]), gaps=gaps)
    assert found.parts[0].values[:, 0].tolist() == wanted
    assert f"(data.gaps={gaps})" in found.notes[-1]


def test_a_missing_value_is_refused_with_the_settings_that_read_it(tmp_path):
    with pytest.raises(InputError, match=r"line 3.*'load' must hold a finite number.*1 of 3 values.*data\.gaps=interp"):
        parts(table(tmp_path, 1, 2, 3, values=[1, "", 3]))
    with pytest.raises(InputError, match=r"line 3.*must hold a finite number; received -"):
        parts(table(tmp_path, 1, 2, 3, values=[1, "-", 3]), gaps="interpolate")
    found = parts(table(tmp_path, 1, 2, 3, values=[1, "-", 3]), gaps="interpolate", missing=("-",))
    assert found.parts[0].values[:, 0].tolist() == [1, 2, 3]


def test_a_gap_that_dwarfs_the_series_is_not_filled(tmp_path):
    with pytest.raises(InputError, match=r"data\.gaps=rows"):
        parts(table(tmp_path, "2024-01-01 00:00:00", "2024-01-01 00:00:01", "2034-01-01 00:00:00"), gaps="interpolate")


def test_newest_first_is_reversed(tmp_path):
    found = parts(table(tmp_path, "2024-01-03", "2024-01-02", "2024-01-01", values=[3, 2, 1]))
    assert found.parts[0].values[:, 0].tolist() == [1, 2, 3]
    assert "newest first: reversed" in found.notes[0]


def test_the_rows_of_a_device_have_the_step_of_training(tmp_path):
    def last(rows, step, number, **rule):
        found = TimeRule(("time",), step=step, **rule)
        return read_parts(rows, ("load",), found, last=number).parts[0].values

    day = Step("second", 86_400)
    rows = table(tmp_path, "2024-02-25", "2024-03-01", "2024-03-02", "2024-03-03")
    assert len(last(rows, day, 3)) == 3
    with pytest.raises(InputError, match=r"line 3.*must rise by 1 day.*Fill the gap"):
        last(rows, day, 4)
    assert len(last(rows, day, 4, gaps="fill")) == 8
    with pytest.raises(InputError, match=r"line 4: rows must be 1:00:00 apart.*received 1 day"):
        last(rows, Step("second", 3600), 3)
    assert len(last(rows, Step("second", 3600), 1)) == 1  # one row has no step
    week = table(tmp_path, "2024-01-01", "2024-01-02", "2024-01-03")
    assert len(last(week, Step("weekday", 1), 3)) == 3  # no weekend is passed
    weekend = table(tmp_path, "2024-01-05", "2024-01-06", "2024-01-07")
    with pytest.raises(InputError, match=r"1 weekday a row|1 weekday apart"):
        last(weekend, Step("weekday", 1), 3)
    months = table(tmp_path, "2024-01-05", "2024-02-09", "2024-03-02")
    with pytest.raises(InputError, match="1 month apart"):
        last(months, Step("month", 1), 3)
    seconds = table(tmp_path, 1700000000, 1700000001, 1700000002)  # bundles of old count them as numbers
    assert len(last(seconds, Step("number", 1), 3)) == 3


def test_several_series_keep_their_rows_apart(tmp_path):
    path = tmp_path / "shops.csv"
    path.write_text("day,shop,load\n" + "".join(f"{day},{shop},{day * 10 + at}\n" for day in range(1, 4)
                                                for at, shop in enumerate("ab")))  # fmt: skip
    found = read_parts(read_table(path), ("load",), TimeRule(("day",), series=("shop",)))
    assert [(part.name, part.values[:, 0].tolist()) for part in found.parts] == [
        ("a", [10, 20, 30]),
        ("b", [11, 21, 31]),
    ]


def test_a_rule_is_what_a_signature_holds():
    rule = TimeRule(("date", "hour"), "day-first", "fill", ("shop",), ("-",), Step("second", 60.0))
    assert TimeRule.of({"op": "window", **rule.parameters()}) == rule
    assert TimeRule(("time",), step=Step("number", 1.0)).parameters() == {
        "time": {"column": "time", "unit": "number", "size": 1.0}
    }
    assert np.isclose(rule.parameters()["time"]["size"], 60)
