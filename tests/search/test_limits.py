"""Limits as a person writes them, and who meets them."""

from __future__ import annotations

import math

import pytest

from dltk.base.errors import UsageError
from dltk.search.limits import Baseline, Bounds, Limits
from dltk.search.measures import Measures

SOURCE = Baseline(bytes=1_200_000, metric=0.8)


def measures(**changes):
    found = {"size": 100_000, "download": 80_000, "latency": 1.0, "drop": 0.01, "drop_low": 0.0, "drop_high": 0.03}
    return Measures(**found | changes)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.01", 0.01), (".01", 0.01), ("0", 0.0), ("1%", 0.008), ("2.5 %", 0.02), ("0%", 0.0)],
)
def test_a_drop_is_in_points_or_a_share_of_the_metric(text, value):
    assert Limits.parse(max_drop=text).bounds(SOURCE).drop == pytest.approx(value, abs=1e-12)


def test_a_drop_of_a_metric_without_bounds_is_a_share_of_it():
    """An error of 0.01 degrees means nothing by itself; export's gate reads it the same way."""
    source = Baseline(bytes=1, metric=40.0, is_share=False)
    assert Limits.parse(max_drop="0.01").bounds(source).drop == pytest.approx(0.4)
    assert Limits.parse(max_drop="1%").bounds(source).drop == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("text", "value"),
    [("300KB", 300_000), ("1.2MB", 1_200_000), ("900", 900), ("900B", 900), ("1 gb", 1e9), ("300kb", 300_000),
     ("1/12", 100_000), ("1/1", 1_200_000), ("2 / 3", 800_000)],
)  # fmt: skip
def test_a_size_is_in_bytes_or_a_share_of_the_float32_file(text, value):
    bounds = Limits.parse(max_size=text, max_download=text).bounds(SOURCE)
    assert bounds.size == bounds.download == pytest.approx(value)


@pytest.mark.parametrize(("text", "value"), [("5ms", 5.0), ("250us", 0.25), ("250µs", 0.25), ("1.5s", 1500.0)])
def test_a_latency_has_its_unit(text, value):
    assert Limits.parse(max_latency=text).bounds(SOURCE).latency == pytest.approx(value)


@pytest.mark.parametrize(
    ("flag", "text"),
    [("max_drop", text) for text in ("", "one", "1", "-0.1", "100%", "0.1.2", "1e-2", "nan", "٣%")]
    + [("max_size", text) for text in ("", "0", "0KB", "300KiB", "KB", "-1MB", "2/1", "0/3", "1/0", "1,5MB")]
    + [("max_download", text) for text in ("x", "1/2/3")]
    + [("max_latency", text) for text in ("5", "0ms", "ms", "5 minutes", "-1ms", "inf")],
)
def test_what_is_no_limit_is_refused_with_one_that_is(flag, text):
    with pytest.raises(UsageError) as caught:
        Limits.parse(**{flag: text})
    assert f"--{flag.replace('_', '-')}" in caught.value.where
    assert "For example --" in caught.value.hint
    assert caught.value.exit_code == 2


def test_confident_asks_more_of_a_drop_only():
    with pytest.raises(UsageError, match="--confident: needs --max-drop"):
        Limits.parse(max_size="1MB", confident=True)
    bounds = Limits.parse(max_drop="0.02").bounds(SOURCE)
    sure = Limits.parse(max_drop="0.02", confident=True).bounds(SOURCE)
    assert not bounds.misses(measures())
    (miss,) = sure.misses(measures())
    assert (miss.limit, miss.wanted, miss.found) == ("drop", 0.02, 0.03)
    assert not sure.misses(measures(drop_high=0.02))


def test_a_drop_needs_a_metric():
    with pytest.raises(UsageError, match="no prediction of this model is right or wrong"):
        Limits.parse(max_drop="0.1").bounds(Baseline(bytes=10, metric=None))
    assert Limits.parse(max_size="1KB").bounds(Baseline(bytes=10, metric=None)).size == 1000


def test_every_limit_that_is_missed_is_named():
    bounds = Bounds(drop=0.005, size=50_000, download=80_000, latency=0.5)
    assert [miss.limit for miss in bounds.misses(measures())] == ["drop", "size", "latency"]
    words = [miss.words() for miss in bounds.misses(measures())]
    assert words == ["drop +0.0100 (at most +0.0050)", "size 100.0 KB (at most 50.0 KB)",
                     "latency 1.000 ms (at most 0.500 ms)"]  # fmt: skip


def test_what_was_not_measured_meets_no_limit_on_it():
    bounds = Bounds(drop=0.5, latency=9.0)
    missed = bounds.misses(measures(drop=None, latency=None))
    assert {miss.limit: miss.found for miss in missed} == {"drop": math.inf, "latency": math.inf}


def test_distance_grows_with_each_miss_and_is_nothing_where_all_is_met():
    bounds = Bounds(drop=0.01, size=100_000)
    assert bounds.distance(measures()) == 0
    assert bounds.distance(measures(size=150_000)) == pytest.approx(0.5)
    assert bounds.distance(measures(size=150_000, drop=0.02)) == pytest.approx(1.5)
    # A limit of nothing is no unit to count in: a point is.
    assert Bounds(drop=0.0).distance(measures(drop=0.02)) == pytest.approx(2.0)


def test_cost_is_what_was_limited_or_else_the_download():
    assert Bounds(drop=0.01, float32_bytes=400_000).cost(measures()) == pytest.approx(0.2)
    assert Bounds(size=200_000, latency=4.0).cost(measures()) == pytest.approx((0.5 + 0.25) / 2)


def test_limits_tell_themselves():
    limits = Limits.parse(max_drop="1%", max_size="1/4", max_latency="5ms", confident=True)
    assert limits
    assert not Limits.parse()
    assert limits.as_dict() == {
        "drop": {"value": 0.01, "is_share": True},
        "size": {"value": 0.25, "is_share": True},
        "latency": 5.0,
        "confident": True,
    }
