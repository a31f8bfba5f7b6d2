"""What a compression may cost and how small or fast it must become, as a person writes it, and who meets it.

drop       `0.01` of a metric that lies in 0..1 (one point), `1%` of the source's metric. A plain number for any other
           metric is taken as a share of it too, as the gate of export does.
size       `300KB`, `1.2MB`, `900B` (a KB is 1000 bytes), or `1/12` of the source's float32 file
download   the same, of the file after `gzip -9 -n`; a share is of the float32 file as it is, uncompressed
latency    `5ms`, `250us`, `1s`: p50, one thread, on the machine that measures
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import UsageError
from dltk.base.sizes import UNITS as _BYTES
from dltk.search.measures import Measures

__all__ = ["Amount", "Baseline", "Bounds", "Limits", "MissedLimit"]

_MILLISECONDS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
_POINT = 0.01  # a drop is judged as so many points too much where its limit is tighter than that


@dataclass(frozen=True)
class Amount:
    """A number in its own unit, or a share of the source's."""

    value: float
    is_share: bool = False


@dataclass(frozen=True)
class Baseline:
    """The source, as limits are counted from it.

    Attributes:
        bytes: of its float32 file.
        metric: its value on the samples that decide; None where no prediction is right or wrong.
        is_share: whether that metric lies in 0..1.
    """

    bytes: int
    metric: float | None
    is_share: bool = True


@dataclass(frozen=True)
class MissedLimit:
    """A limit that was not met: its name, the most it allows, and what was found, in the same unit."""

    limit: str
    wanted: float
    found: float

    def words(self) -> str:
        """`drop +0.0200 (at most 0.0100)`."""
        show = _SHOWN[self.limit]
        return f"{self.limit} {show(self.found)} (at most {show(self.wanted)})"


@dataclass(frozen=True)
class Bounds:
    """Limits as plain numbers: drop in the metric's unit, sizes in bytes, latency in milliseconds; None: no limit.

    Attributes:
        confident: compare the upper end of the drop's interval with the limit, instead of the estimate.
        unit: a drop's unit where the limit itself is too tight to be one.
    """

    drop: float | None = None
    size: float | None = None
    download: float | None = None
    latency: float | None = None
    confident: bool = False
    unit: float = _POINT
    float32_bytes: int = 1

    def misses(self, found: Measures) -> tuple[MissedLimit, ...]:
        """The limits that `found` does not meet; a figure that is not there meets none."""
        wanted = {name: limit for name in _SHOWN if (limit := getattr(self, name)) is not None}
        values = {name: self._value(name, found) for name in wanted}
        return tuple(
            MissedLimit(name, wanted[name], value) for name, value in values.items() if not value <= wanted[name]
        )

    def distance(self, found: Measures) -> float:
        """How far `found` is from meeting all limits: 0 where it does; each miss counts in shares of its limit."""
        return sum((miss.found - miss.wanted) / self._scale(miss) for miss in self.misses(found))

    def cost(self, found: Measures) -> float:
        """What a search makes small among those that meet the limits.

        The mean of found / allowed over the limits on size, download and latency; without any of them the download as
        a share of the source's float32 file.
        """
        named = [(name, limit) for name in ("size", "download", "latency") if (limit := getattr(self, name))]
        if not named:
            return found.download / self.float32_bytes
        return sum(self._value(name, found) / limit for name, limit in named) / len(named)

    def limited(self) -> frozenset[str]:
        """Names of the limits that there are."""
        return frozenset(name for name in _SHOWN if getattr(self, name) is not None)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: the limits that there are."""
        return {name: getattr(self, name) for name in _SHOWN if getattr(self, name) is not None}

    def _value(self, name: str, found: Measures) -> float:
        if name == "drop":
            value = found.drop_high if self.confident else found.drop
        else:
            value = {"size": found.size, "download": found.download, "latency": found.latency}[name]
        return math.inf if value is None else float(value)

    def _scale(self, miss: MissedLimit) -> float:
        return max(miss.wanted, self.unit) if miss.limit == "drop" else max(miss.wanted, 1e-9)


@dataclass(frozen=True)
class Limits:
    """What was asked for; `bounds` makes plain numbers of it once the source is measured.

    `size` and `download` are bytes or shares of the source's, `latency` is in milliseconds; None: no limit.
    """

    drop: Amount | None = None
    size: Amount | None = None
    download: Amount | None = None
    latency: float | None = None
    confident: bool = False

    @classmethod
    def parse(
        cls,
        *,
        max_drop: str | None = None,
        max_size: str | None = None,
        max_download: str | None = None,
        max_latency: str | None = None,
        confident: bool = False,
    ) -> Limits:
        """Limits out of the texts of `dltk compress`; None: no such limit.

        Raises:
            UsageError: if a text is no limit; it names one that is.
        """
        found = cls(
            None if max_drop is None else _drop(max_drop),
            None if max_size is None else _size("--max-size", max_size),
            None if max_download is None else _size("--max-download", max_download),
            None if max_latency is None else _latency(max_latency),
            confident,
        )
        if confident and found.drop is None:
            hint = "For example --max-drop 0.01 --confident."
            raise UsageError("--confident", "needs --max-drop", hint=hint)
        return found

    def __bool__(self) -> bool:
        return any(item is not None for item in (self.drop, self.size, self.download, self.latency))

    def bounds(self, source: Baseline) -> Bounds:
        """Plain numbers, with shares taken of `source`.

        Raises:
            UsageError: if a drop is limited and the source has no metric.
        """
        unit = _POINT
        if source.metric is not None and not source.is_share:
            unit = _POINT * max(abs(source.metric), 1e-12)
        return Bounds(
            None if self.drop is None else _resolved(self.drop, source),
            None if self.size is None else _times(self.size, source.bytes),
            None if self.download is None else _times(self.download, source.bytes),
            self.latency,
            self.confident,
            unit,
            source.bytes,
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, as asked for."""
        amounts = {"drop": self.drop, "size": self.size, "download": self.download}
        found: dict[str, Any] = {
            name: {"value": amount.value, "is_share": amount.is_share}
            for name, amount in amounts.items() if amount is not None
        }  # fmt: skip
        if self.latency is not None:
            found["latency"] = self.latency
        return found | {"confident": self.confident}


def _drop(text: str) -> Amount:
    number, is_share = _full_match(rf"{_NUMBER}\s*(%?)", text), "%" in text
    if number is None or float(number[1]) >= (100 if is_share else 1):
        hint = "For example --max-drop 0.01 (one point) or --max-drop 1% (of the metric)."
        raise UsageError("--max-drop", "must be a number from 0 to below 1, or a percentage", text, hint)
    return Amount(float(number[1]) / (100 if is_share else 1), is_share)


def _size(flag: str, text: str) -> Amount:
    share = _full_match(r"(\d+)\s*/\s*(\d+)", text)
    if share is not None and 0 < int(share[1]) <= int(share[2]):
        return Amount(int(share[1]) / int(share[2]), True)
    number = _full_match(rf"{_NUMBER}\s*([KMG]?B)?", text.upper())
    if number is None or float(number[1]) <= 0:
        hint = f"For example {flag} 300KB, {flag} 1.2MB, or {flag} 1/12 of the float32 file. A KB is 1000 bytes."
        raise UsageError(flag, "must be a size", text, hint)
    return Amount(float(number[1]) * _BYTES[number[2] or ""])


def _latency(text: str) -> float:
    number = _full_match(rf"{_NUMBER}\s*(us|µs|ms|s)", text)
    if number is None or float(number[1]) <= 0:
        hint = "For example --max-latency 5ms or --max-latency 250us."
        raise UsageError("--max-latency", "must be a time with its unit", text, hint)
    return float(number[1]) * _MILLISECONDS[number[2]]


def _full_match(pattern: str, text: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, text.strip(), re.ASCII)


def _resolved(amount: Amount, source: Baseline) -> float:
    if source.metric is None:
        rule = "needs a metric: no prediction of this model is right or wrong"
        raise UsageError("--max-drop", rule, hint="Limit its size, download or latency instead.")
    in_shares = amount.is_share or not source.is_share
    return amount.value * abs(source.metric) if in_shares else amount.value


def _times(amount: Amount, whole: int) -> float:
    return amount.value * whole if amount.is_share else amount.value


def _kilobytes(value: float) -> str:
    return f"{value / 1000:,.1f} KB"


_SHOWN: Mapping[str, Callable[[float], str]] = {
    "drop": lambda value: f"{value:+.4f}",
    "size": _kilobytes,
    "download": _kilobytes,
    "latency": lambda value: f"{value:.3f} ms",
}
