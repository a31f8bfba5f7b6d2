"""The change of a metric in words: a gain is `+2.8 points`, a loss `-1.2 points`, whichever way the metric points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["amount_text", "changed_text", "gain_text", "gain_with_interval", "interval_text", "is_share"]


def amount_text(value: float, is_share: bool, *, signed: bool = False) -> str:
    """`2 points` of a metric in 0..1, `0.0300` of any other."""
    sign = "+" if signed else ""
    if not is_share:
        return f"{_zero(value, 4):{sign}.4f}" if abs(value) < 1000 else f"{value:{sign}.4g}"
    points = _zero(100 * value, 2 if 0 < abs(value) < 0.0005 else 1)
    text = f"{points:{sign}.2f}" if 0 < abs(points) < 0.05 else f"{points:{sign}.1f}"
    text = text if signed else text.removesuffix(".0")
    return f"{text} point" if text == "1" else f"{text} points"


def gain_text(metric: Mapping[str, Any] | None) -> str:
    """`+2.8 points` out of a metric that was compared; `-` where it was not."""
    drop = _number((metric or {}).get("drop"))
    return "-" if metric is None or drop is None else amount_text(-drop, is_share(metric), signed=True)


def interval_text(metric: Mapping[str, Any] | None) -> str:
    """`-1.2 .. +5.6` around the gain, in its unit; `-` where there is none."""
    ends = (metric or {}).get("interval")
    if metric is None or not isinstance(ends, (list, tuple)) or len(ends) != 2 or None in map(_number, ends):
        return "-"
    share = is_share(metric)
    low, high = (amount_text(-end, share, signed=True).removesuffix(" points") for end in reversed(ends))
    return f"{low} .. {high}"


def gain_with_interval(metric: Mapping[str, Any] | None) -> str:
    """`+2.8 points [-1.2 .. +5.6]`."""
    found = gain_text(metric)
    return found if found == "-" or interval_text(metric) == "-" else f"{found} [{interval_text(metric)}]"


def changed_text(metric: Mapping[str, Any] | None) -> str:
    """`1 of 36`: predictions that changed; `-` where they were not counted."""
    counts = [(metric or {}).get(key) for key in ("changed", "samples")]
    return "{} of {}".format(*counts) if None not in map(_number, counts) else "-"


def is_share(metric: Mapping[str, Any]) -> bool:
    """Whether it lies in 0..1; if a report does not record it, by its values."""
    known = metric.get("is_share")
    if isinstance(known, bool):
        return known
    values = [_number(metric.get(key)) for key in ("value", "reference")]
    return all(value is not None and 0 <= value <= 1 for value in values) and metric.get("higher_is_better") is True


def _number(value: Any) -> float | None:
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if fits else None


def _zero(value: float, digits: int) -> float:
    """`value`, and 0.0 for what is shown as -0."""
    return round(value, digits) + 0.0
