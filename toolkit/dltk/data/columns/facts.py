"""What the cells of a column are: counted once, by their different texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from dltk.edge.bundle.op_table import DATE_ORDERS
from dltk.edge.families.shared.columns import as_number, numbers_of_marks, sign_of, signed_number
from dltk.edge.families.shared.dates import date_of
from dltk.edge.sources import Table

__all__ = ["MARKS", "Facts", "facts_of", "first_row"]

# Cells that usually mean a missing value; "." is that of some statistics programs.
MARKS = ("NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "NULL", "Null", "null", "None", "none", "?", "-", "--", ".")
_LOOKED_AT = 200  # different texts, by which a column is worth a closer look


@dataclass(frozen=True)
class Facts:
    """A column by its different texts.

    Attributes:
        name: of the column.
        counts: text, without spaces around it -> rows that hold it; without those that mean missing.
        empty: rows where nothing stands, or a mark of a missing value.
        rows: of the table.
    """

    name: str
    counts: Mapping[str, int]
    empty: int
    rows: int

    @property
    def filled(self) -> int:
        """Rows with a value."""
        return self.rows - self.empty

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        """text -> number, of the texts that are one."""
        found = ((text, as_number(text)) for text in self.counts)
        return {text: number for text, number in found if number is not None}

    def share(self, texts: Mapping[str, object]) -> float:
        """The share of the filled rows that hold one of `texts`."""
        return sum(self.counts[text] for text in texts) / self.filled if self.filled else 0.0

    def others(self, texts: Mapping[str, object]) -> dict[str, int]:
        """text -> rows, of all that are none of `texts`."""
        return {text: count for text, count in self.counts.items() if text not in texts}

    def signed(self) -> tuple[str, Mapping[str, float]] | None:
        """The sign that most numbers are written with, and text -> number; None if that is no column of such."""
        signs = Counter(sign for sign in map(sign_of, islice(self.counts, _LOOKED_AT)) if sign is not None)
        for sign, _ in signs.most_common(1):
            read = ((text, signed_number(text, sign)) for text in self.counts)
            found = {text: number for text, number in read if number is not None}
            if self.share(found) > 0.5 and any(sign in text for text in found):
                return sign, found
        return None

    def dates(self, asked: str) -> Mapping[str, Sequence[str]]:
        """order -> the texts that are dates in it, of the orders that read most; {} if that is no column of dates.

        Args:
            asked: "auto", "day-first" or "month-first".
        """
        orders = DATE_ORDERS if asked == "auto" else (asked,)
        looked = [text for text in islice(self.counts, _LOOKED_AT) if text not in MARKS]
        if not any(2 * sum(date_of(text, order) is not None for text in looked) > len(looked) for order in orders):
            return {}
        found = {order: [text for text in self.counts if date_of(text, order) is not None] for order in orders}
        most = max(len(texts) for texts in found.values())
        best = {order: texts for order, texts in found.items() if len(texts) == most}
        if "year-first" in best:  # no cell is written as 3/4/2024
            best = {"year-first": best["year-first"]}
        return best if self.share(dict.fromkeys(next(iter(best.values())))) > 0.5 else {}


def facts_of(table: Table, name: str, missing: Sequence[str]) -> Facts:
    """The facts of the column `name`; `missing` has the cells that mean a missing value beside the empty one.

    Raises:
        InputError: if there is no such column.
    """
    gone, counts = numbers_of_marks(missing), Counter[str]()
    for cell, count in Counter(table.column(name)).items():
        text = cell.strip()
        if text and text not in missing and not (gone and as_number(text) in gone):
            counts[text] += count
    return Facts(name, counts, len(table) - counts.total(), len(table))


def first_row(table: Table, name: str, texts: Mapping[str, object]) -> int:
    """The first row whose cell, without spaces around it, is one of `texts`."""
    return next(_rows_with(table, name, texts))


def _rows_with(table: Table, name: str, texts: Mapping[str, object]) -> Iterator[int]:
    return (row for row, cell in enumerate(table.column(name)) if cell.strip() in texts)
