"""The figures of a candidate's file that limits are about."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Measures", "source_row"]


@dataclass(frozen=True)
class Measures:
    """The figures that limits are about: bytes, milliseconds, and the metric's drop with its 95% interval.

    Attributes:
        size, download: bytes, of the file and of it with gzip -9.
        latency: median of one sample, in milliseconds; None where it was not taken.
        drop, drop_low, drop_high: in the metric's unit, positive where it became worse; None without a metric.
        parity: how far the outputs are from the float model's: what counts as harm where there is no metric.
    """

    size: int
    download: int
    latency: float | None
    drop: float | None = None
    drop_low: float | None = None
    drop_high: float | None = None
    parity: float = 0.0

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Measures:
        """Parse it from the row of a measured file.

        Raises: LookupError, TypeError, ValueError, AttributeError: if it is not such a row; it may come from a damaged
            file.
        """
        metric = row.get("metric") or {}
        low, high = metric.get("interval") or (None, None)
        parity = _figure((row.get("parity") or {}).get("error", 0.0))
        size, download = _figure(row["bytes"]), _figure(row["download_bytes"])
        latency, drop, low, high = (_maybe(value) for value in (row.get("p50_ms"), metric.get("drop"), low, high))
        return cls(size, download, latency, drop, low, high, parity)

    @property
    def harm(self) -> float:
        """What the file lost: the metric's drop, or where there is none, the error of its outputs."""
        return self.parity if self.drop is None else self.drop

    def point(self) -> tuple[float, float, float, float]:
        """Harm, download, p50, size: less is better in each."""
        return self.harm, float(self.download), float(self.latency or 0.0), float(self.size)

    def words(self) -> str:
        """`drop 0.0040 [+0.0010 .. +0.0070], 82.1 KB, download 61.0 KB, p50 0.123 ms`; of a better one `gain`."""
        parts = []
        if self.drop is not None and self.drop_low is not None and self.drop_high is not None:
            gained = self.drop < 0
            low, high = (-self.drop_high, -self.drop_low) if gained else (self.drop_low, self.drop_high)
            parts.append(f"{'gain' if gained else 'drop'} {abs(self.drop):.4f} [{low + 0.0:+.4f} .. {high + 0.0:+.4f}]")
        parts += [f"{self.size / 1000:,.1f} KB", f"download {self.download / 1000:,.1f} KB"]
        return ", ".join(parts + ([] if self.latency is None else [f"p50 {self.latency:.3f} ms"]))


def source_row(found: dict[str, Any], has_metric: bool) -> dict[str, Any]:
    """`found`, if it is the row of a search's source, which limits are relative to.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: if it is not.
    """
    Measures.of(found)
    if has_metric:
        _figure(found["metric"]["reference"])
    return found


def _figure(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ValueError("a figure must be a finite number")
    return value


def _maybe(value: Any) -> Any:
    return None if value is None else _figure(value)
