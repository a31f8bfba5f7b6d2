"""Tables as texts, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Table", "cut", "cut_table", "figure", "shares", "size"]

_MOST_ROWS = 50

Rows = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """Cells as texts.

    Attributes:
        title: what it shows.
        heads: one a column.
        rows: as long as `heads`.
        words: columns of words, to the left; the others hold numbers, to the right.
        note: a sentence below, or nothing.
    """

    title: str
    heads: tuple[str, ...]
    rows: Rows
    words: tuple[int, ...] = (0,)
    note: str = ""


def figure(value: Any) -> str:
    """A number with four digits that count, or a word as it is."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def size(count: float) -> str:
    """Bytes for a person; a KB is 1000 bytes."""
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1000:.1f} KB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def shares(part: float | None, whole: float | None) -> str:
    """`part` of `whole` as 1/N, or in hundredths where it is more than half."""
    if not part or not whole or part < 0 or whole < 0:
        return "-"
    return f"1/{whole / part:.1f}" if part <= whole / 2 else f"{part / whole:.0%}"


def cut(rows: Sequence[tuple[str, ...]], most: int = _MOST_ROWS) -> tuple[Rows, str]:
    """The first `most` rows, and a sentence about the others."""
    more = len(rows) - most
    return tuple(rows[:most]), f"{more} more, see the JSON report." if more > 0 else ""


def cut_table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], words: tuple[int, ...]) -> Table:
    """A table of the first rows."""
    shown, note = cut(rows)
    return Table(title, heads, shown, words, note)
