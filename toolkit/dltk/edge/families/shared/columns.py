"""The columns of a table that make a sample, and how their cells become numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.op_table import SIGNS
from dltk.edge.bundle.shapes import record_of
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.dates import DateColumn, date_of, numbers_of_date
from dltk.edge.input.vocabulary import Vocabulary
from dltk.edge.sources.tables import Table

__all__ = [
    "Columns",
    "as_number",
    "columns_of",
    "encode",
    "is_empty",
    "numbers_of_marks",
    "rows_of",
    "sign_of",
    "signed_number",
    "target_numbers",
    "with_target",
]

_LARGEST = float(np.finfo(np.float32).max)
_TEXTS = ("numbers", "categories", "targets", "empty")  # keys of the step "columns" that are always there
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")


@dataclass(frozen=True)
class Columns:
    """Which columns make a sample, and how cells are read.

    Attributes:
        numbers, categories, targets: names of columns.
        empty: cells that count as empty, beside ""; in a column of numbers -200 stands for -200.0, too.
        missing: "error" refuses an empty number; "mean" takes the training samples' mean in its place.
        dates: columns of dates, which become numbers behind `numbers`.
        marked: columns of numbers or dates that have an input of their own, 1 where the cell is empty, else 0.
        signs: column -> the sign, one of `SIGNS`, that its numbers are written with.
        unlabelled: "error" refuses a row without a target; "drop" leaves it out where targets are needed.
        rest: what becomes of labels that the model does not have: "error", "drop", or "other", the label.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    targets: tuple[str, ...]
    empty: tuple[str, ...] = ()
    missing: str = "error"
    dates: tuple[DateColumn, ...] = ()
    marked: tuple[str, ...] = ()
    signs: tuple[tuple[str, str], ...] = ()
    unlabelled: str = "error"
    rest: str = "error"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns whose cells make a sample."""
        return (*self.numbers, *(date.column for date in self.dates), *self.categories)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a raw sample: float32 "numbers", NaN where empty, and int32 "categories", rows of the vocabulary."""
        return record_of(self.op())

    def op(self) -> dict[str, Any]:
        """As a step of a signature; what is as a matter of course is left out."""
        found = {"op": "columns", "missing": self.missing} | {key: list(getattr(self, key)) for key in _TEXTS}
        if self.dates:
            found["dates"] = [date.op() for date in self.dates]
        if self.marked:
            found["marked"] = list(self.marked)
        if self.signs:
            found["signs"] = [list(pair) for pair in self.signs]
        return found | {key: getattr(self, key) for key in ("unlabelled", "rest") if getattr(self, key) != "error"}


def columns_of(signature: Signature) -> Columns:
    """The columns that `signature` names.

    Raises:
        InputError: if it has no such step, or one that does not fit.
    """
    for op in signature.preprocess:
        if op["op"] == "columns":
            lists = [op.get(key) for key in _TEXTS]
            fits = all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists)
            if not fits or op.get("missing") not in ("error", "mean"):
                raise InputError("preprocess: columns", "must name numbers, categories, targets, empty and missing", op)
            record_of(op)
            numbers, categories, targets, empty = (tuple(op[key]) for key in _TEXTS)
            dates = tuple(DateColumn.of(date) for date in op.get("dates", ()))
            signs = tuple((name, sign) for name, sign in op.get("signs", ()))
            marked, rest = tuple(op.get("marked", ())), (op.get("unlabelled", "error"), op.get("rest", "error"))
            return Columns(numbers, categories, targets, empty, op["missing"], dates, marked, signs, *rest)
    raise InputError("preprocess", "needs a step 'columns'", [op["op"] for op in signature.preprocess])


def is_empty(cell: str, columns: Columns) -> bool:
    """Whether nothing stands in `cell`."""
    return not cell.strip() or cell.strip() in columns.empty


def as_number(cell: str) -> float | None:
    """The finite number in `cell`, or None."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) <= _LARGEST else None


def sign_of(cell: str) -> str | None:
    """The sign of `SIGNS` that stands before or behind the number in `cell`; None if there is none, or no number."""
    text = cell.strip()
    return next((sign for sign in SIGNS if sign in text and signed_number(text, sign) is not None), None)


def signed_number(cell: str, sign: str) -> float | None:
    """The finite number in `cell`, written with `sign`: 12 of "12%", 1200 of "$1,200"; None if it is none.

    A percentage needs its sign, because 0.5 may mean 50%. Other signs may be missing.
    """
    text = cell.strip()
    bare = text.replace(sign, "", 1).strip()
    ahead = text.lstrip("+-").startswith(sign) and sign != "%"
    if (sign in text and not ahead and not text.endswith(sign)) or (sign == "%" and sign not in text):
        return None
    return as_number(bare.replace(",", "") if _THOUSANDS.fullmatch(bare) else bare)


def encode(
    cells: Mapping[str, Sequence[str]], columns: Columns, known: Vocabulary, where: Callable[[int], str]
) -> NDArray[Any]:
    """Raw samples (n,) of `columns.dtype` out of the cells of each column.

    Args:
        known: texts of the categories; any other is the column's unknown one.
        where: row -> what errors call it.

    Raises:
        InputError: naming row and column of a cell that is no number or date, or empty where that is an error.
    """
    count = len(next(iter(cells.values())))
    found, reader, place = np.zeros(count, columns.dtype), _Reader(columns, where), 0
    marks: dict[str, NDArray[np.bool_]] = {}
    for name in columns.numbers:
        found["numbers"][:, place] = reader.numbers(name, cells[name])
        marks[name], place = np.isnan(found["numbers"][:, place]), place + 1
    for date in columns.dates:
        found["numbers"][:, place : place + date.width] = reader.dates(date, cells[date.column])
        marks[date.column], place = np.isnan(found["numbers"][:, place]), place + date.width
    for name in columns.marked:
        found["numbers"][:, place] = marks[name]
        place += 1
    for place, name in enumerate(columns.categories):
        texts, unknown = known.rows.get(name, {}), known.unknown.get(name, 0)
        filled = ("" if is_empty(cell, columns) else cell.strip() for cell in cells[name])
        found["categories"][:, place] = np.fromiter((texts.get(text, unknown) for text in filled), np.int32, count)
    return found


def target_numbers(table: Table, columns: Columns) -> NDArray[np.float32]:
    """float32 (rows, targets): the target columns as finite numbers.

    Raises:
        InputError: naming the line of the first cell that is none.
    """
    found, reader = np.empty((len(table), len(columns.targets)), np.float32), _Reader(columns, table.where)
    for place, name in enumerate(columns.targets):
        numbers = (reader.finite(name, row, cell) for row, cell in enumerate(table.column(name)))
        found[:, place] = np.fromiter(numbers, np.float64, len(table))
    return found


def with_target(table: Table, columns: Columns, *, numeric: bool) -> NDArray[np.int64]:
    """The rows (n,) of `table`, ascending, whose target cells are all filled; every row where none may be missing.

    Args:
        numeric: whether targets are numbers, where -200 stands for -200.0.
    """
    kept = np.ones(len(table), bool)
    if columns.unlabelled == "drop":
        gone = numbers_of_marks(columns.empty) if numeric else frozenset()
        for name in columns.targets:
            empty = (is_empty(cell, columns) or (bool(gone) and as_number(cell) in gone) for cell in table.column(name))
            kept &= ~np.fromiter(empty, bool, len(table))
    return np.flatnonzero(kept)


def rows_of(table: Table, rows: NDArray[np.int64]) -> Table:
    """`table` with those of its `rows` (n,) alone; itself where those are all."""
    if len(rows) == len(table):
        return table
    cells = tuple([column[row] for row in rows.tolist()] for column in table.cells)
    return replace(table, cells=cells, lines=[table.lines[row] for row in rows.tolist()])


def numbers_of_marks(marks: Sequence[str]) -> frozenset[float]:
    """Those of the cells that count as empty that are numbers."""
    return frozenset(number for number in map(as_number, marks) if number is not None)


class _Reader:
    """Reads cells by the rules of `columns`."""

    def __init__(self, columns: Columns, where: Callable[[int], str]) -> None:
        self._columns, self._where = columns, where
        self._signs, self._gone = dict(columns.signs), numbers_of_marks(columns.empty)

    def numbers(self, name: str, cells: Sequence[str]) -> NDArray[np.float64]:
        return np.fromiter((self._number(name, row, cell) for row, cell in enumerate(cells)), np.float64, len(cells))

    def dates(self, date: DateColumn, cells: Sequence[str]) -> NDArray[np.float64]:
        read: dict[str, list[float]] = {}  # a date may stand in many rows
        for row, cell in enumerate(cells):
            if cell not in read:
                read[cell] = self._date(date, row, cell)
        return np.array([read[cell] for cell in cells], np.float64).reshape(len(cells), date.width)

    def finite(self, name: str, row: int, cell: str) -> float:
        number = signed_number(cell, self._signs[name]) if name in self._signs else as_number(cell)
        if number is None:
            written = f", written with {self._signs[name]}" if name in self._signs else ""
            raise InputError(self._where(row), f"column {name!r} must hold a finite number{written}", cell)
        return number

    def _number(self, name: str, row: int, cell: str) -> float:
        plain = None if name in self._signs else as_number(cell)
        if plain is not None:
            return self._empty(name, row, "a number") if plain in self._gone else plain
        if is_empty(cell, self._columns):
            return self._empty(name, row, "a number")
        number = self.finite(name, row, cell)
        return self._empty(name, row, "a number") if number in self._gone else number

    def _date(self, date: DateColumn, row: int, cell: str) -> list[float]:
        if is_empty(cell, self._columns):
            return [self._empty(date.column, row, "a date")] * date.width
        found = date_of(cell, date.order)
        if found is None:
            raise InputError(self._where(row), f"column {date.column!r} must hold a date, {date.order}", cell)
        return numbers_of_date(found, date.parts)

    def _empty(self, name: str, row: int, noun: str) -> float:
        if self._columns.missing == "error":
            hint = "Fill it in; or train with data.fill=mean, which puts the mean there."
            raise InputError(self._where(row), f"column {name!r} must hold {noun}", "an empty cell", hint)
        return math.nan
