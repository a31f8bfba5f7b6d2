"""A table in memory: cells by columns, each with the line that it stands in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, unknown_name_hint
from dltk.edge.sources.tables.dialect import PLAIN, Dialect
from dltk.edge.sources.tables.faults import Faults

__all__ = ["Table", "stated"]

_ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "latin-1": "Latin-1"}
_WORDS = {"tab": "tab", "space": "spaces"}
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Table:
    """The rows of a table, held by columns.

    Attributes:
        path: the file, as the user wrote it.
        header: names of the columns, all different.
        cells: the cells of each column, as many as there are rows; numbers with a point for the decimal sign.
        lines: the line each row stands in, counted from 1.
        dialect: how the file is written; nothing in it is "auto".
        unit: what `lines` counts: lines of a text, records of a JSON file, rows of a sheet.
    """

    path: Path
    header: tuple[str, ...]
    cells: tuple[Sequence[str], ...]
    lines: Sequence[int]
    dialect: Dialect = PLAIN
    unit: str = "line"

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.lines)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.header)}

    @property
    def top(self) -> str:
        """ "FILE, line 1", where the names of the columns stand; the file alone where no line names them."""
        return f"{self.path}, line 1" if self.unit == "line" and self.dialect.header == "first" else str(self.path)

    def column(self, name: str) -> Sequence[str]:
        """The cells of one column.

        Raises:
            InputError: if there is no such column.
        """
        if name not in self._places:
            raise InputError(self.top, f"needs a column {name!r}", hint=unknown_name_hint(name, self.header))
        return self.cells[self._places[name]]

    def numbers(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32 (rows, names): the columns `names` as finite numbers.

        Raises:
            InputError: naming the lines of the first ten cells that are none.
        """
        found, faults = np.empty((len(self), len(names)), np.float32), Faults(self.path, self.unit)
        for position, name in enumerate(names):
            numbers = (self._number(cell, row, name, faults) for row, cell in enumerate(self.column(name)))
            found[:, position] = np.fromiter(numbers, np.float64, len(self))
        faults.raise_if_any()
        return found

    def where(self, row: int) -> str:
        """ "FILE, line N" of a row."""
        return f"{self.path}, {self.unit} {self.lines[row]}"

    def _number(self, cell: str, row: int, name: str, faults: Faults) -> float:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not abs(number) <= _LARGEST:
            faults.add(self.lines[row], f"column {name!r} must hold a finite number", cell)
            return 0.0
        return number


def stated(table: Table, suffix: str, details: Sequence[str], *, is_quoted: bool) -> str:
    """The line on a table that is no plain CSV; "" for one that is."""
    if table.dialect == PLAIN and not details and suffix not in (".json", ".jsonl", ".ndjson", ".parquet", ".xlsx"):
        return ""
    return _described(table, suffix, details, is_quoted=is_quoted)


def _described(table: Table, suffix: str, details: Sequence[str], *, is_quoted: bool) -> str:
    """One line: separator, quotes, encoding, header, columns and rows, and `details`."""
    dialect, parts = table.dialect, list[str]()
    if table.unit == "line":
        parts.append(f"separator {_WORDS.get(dialect.separator, repr(dialect.separator))}")
        parts += ["quoted"] if is_quoted else []
        parts.append(_ENCODINGS.get(dialect.encoding, dialect.encoding))
    else:
        parts.append(suffix.lstrip("."))
    parts.append("header" if dialect.header == "first" else "no header")
    if dialect.decimal == ",":
        parts.append("decimal comma")
    if dialect.grouped:
        parts.append(f"thousands grouped by {'points' if dialect.decimal == ',' else 'commas'}")
    width, rows = len(table.header), len(table)
    parts += [f"{width} column{'s' * (width != 1)}", f"{rows:,} row{'s' * (rows != 1)}", *details]
    return f"reading {table.path.name}: {', '.join(parts)}"
