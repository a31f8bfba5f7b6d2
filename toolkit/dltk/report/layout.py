"""Tables as texts, and how numbers are written in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Column", "Table", "table_of", "figure", "pair_table", "share_text", "size_text"]

_MOST_ROWS = 50

Item = TypeVar("Item")


@dataclass(frozen=True)
class Table:
    """Cells as texts.

    Attributes:
        title: what it shows.
        heads: one per column.
        rows: as long as `heads`.
        words: columns of words, to the left; the others hold numbers, to the right.
        note: a sentence below, or nothing.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)
    note: str = ""


@dataclass(frozen=True)
class Column(Generic[Item]):
    """A heading and how its cell comes out of a row's item: the two cannot part.

    Attributes:
        words: whether the cells are words, to the left; else numbers, to the right.
    """

    head: str
    cell: Callable[[Item], str]
    words: bool = False


def table_of(
    title: str,
    columns: Iterable[Column[Item]],
    items: Iterable[Item],
    *,
    note: str = "",
    most: int = _MOST_ROWS,
) -> Table:
    """A table of the first `most` items, a row each; below it `note` and a sentence about those that are left out."""
    order: list[Column[Item]] = list(columns)
    shown: list[Item] = list(items)
    rows = tuple(tuple(column.cell(item) for column in order) for item in shown[:most])
    more = f"{len(shown) - most} more, see the JSON report." if len(shown) > most else ""
    words = tuple(place for place, column in enumerate(order) if column.words)
    heads = tuple(column.head for column in order)
    return Table(title, heads, rows, words, f"{note} {more}".strip() if rows else "")


def pair_table(title: str, values: Iterable[tuple[str, str]], *, names: str = "", what: str = "value") -> Table:
    """A table of named values."""
    name = Column[tuple[str, str]](names, lambda pair: pair[0], True)
    return table_of(title, (name, Column(what, lambda pair: pair[1], True)), values)


def figure(value: Any) -> str:
    """A number with four digits that count, or a word as it is."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.4g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def size_text(count: float) -> str:
    """Bytes for a person; a KB is 1000 bytes."""
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1000:.1f} KB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def share_text(part: float | None, whole: float | None) -> str:
    """`part` of `whole` as 1/N, or in hundredths where it is more than half."""
    if not part or not whole or part < 0 or whole < 0:
        return "-"
    return f"1/{whole / part:.1f}" if part <= whole / 2 else f"{part / whole:.0%}"
