"""A row of a table as a sample: what families share whose samples are numbers and categories by column."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, unknown_name_hint
from dltk.base.files import parse_json
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import SingleSample, Tensors, unstack_samples
from dltk.edge.input import preprocess
from dltk.edge.input.vocabulary import Vocabulary, vocabulary_of
from dltk.edge.sources.table import Table, read_table

__all__ = ["Columns", "Rows", "as_number", "columns_of", "encode", "is_empty"]

_LARGEST = float(np.finfo(np.float32).max)
_TEXTS = ("numbers", "categories", "targets", "empty")  # keys of the step "columns"


@dataclass(frozen=True)
class Columns:
    """Which columns make a sample, and what an empty cell means.

    Attributes:
        numbers, categories, targets: names of columns.
        empty: cells that count as empty, beside "".
        missing: "error" refuses an empty number; "mean" takes the training samples' mean in its place.
    """

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    targets: tuple[str, ...]
    empty: tuple[str, ...] = ()
    missing: str = "error"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a raw sample: float32 "numbers", NaN where empty, and int32 "categories", rows of the vocabulary."""
        parts: list[Any] = []
        if self.numbers:
            parts.append(("numbers", np.float32, (len(self.numbers),)))
        if self.categories:
            parts.append(("categories", np.int32, (len(self.categories),)))
        return np.dtype(parts)

    def op(self) -> dict[str, Any]:
        """As a step of a signature."""
        return {"op": "columns", "missing": self.missing} | {key: list(getattr(self, key)) for key in _TEXTS}


def columns_of(signature: Signature) -> Columns:
    """The columns that `signature` names.

    Raises:
        InputError: if it has no such step, or one that does not fit.
    """
    for op in signature.preprocess:
        if op["op"] == "columns":
            lists = [op.get(key) for key in _TEXTS]
            fits = all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in lists)
            if not fits or op.get("missing") not in ("error", "mean") or not (op["numbers"] or op["categories"]):
                raise InputError("preprocess: columns", "must name numbers, categories, targets, empty and missing", op)
            numbers, categories, targets, empty = (tuple(op[key]) for key in _TEXTS)
            return Columns(numbers, categories, targets, empty, op["missing"])
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


def encode(
    cells: Mapping[str, Sequence[str]], columns: Columns, known: Vocabulary, where: Callable[[int], str]
) -> NDArray[Any]:
    """Raw samples (n,) of `columns.dtype` out of the cells of each column.

    Args:
        known: texts of the categories; any other is the column's unknown one.
        where: row -> what errors call it.

    Raises:
        InputError: naming row and column of a cell that is no number, or empty where that is an error.
    """
    count = len(next(iter(cells.values())))
    found = np.zeros(count, columns.dtype)
    for place, name in enumerate(columns.numbers):
        numbers = (_number(cell, columns, name, row, where) for row, cell in enumerate(cells[name]))
        found["numbers"][:, place] = np.fromiter(numbers, np.float64, count)
    for place, name in enumerate(columns.categories):
        rows, unknown = known.rows.get(name, {}), known.unknown.get(name, 0)
        texts = ("" if is_empty(cell, columns) else cell.strip() for cell in cells[name])
        found["categories"][:, place] = np.fromiter((rows.get(text, unknown) for text in texts), np.int32, count)
    return found


def _number(cell: str, columns: Columns, name: str, row: int, where: Callable[[int], str]) -> float:
    if is_empty(cell, columns):
        if columns.missing == "error":
            hint = "Fill it in; or train with data.missing=mean, which puts the mean there."
            raise InputError(where(row), f"column {name!r} must hold a number", "an empty cell", hint)
        return math.nan
    number = as_number(cell)
    if number is None:
        raise InputError(where(row), f"column {name!r} must hold a finite number", cell)
    return number


class Rows(SingleSample):
    """Raw sample: a record of `Columns.dtype`. A source is a CSV file, a JSON object as text, or a dictionary."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """A CSV file: its rows; anything else: itself."""
        if not isinstance(source, (str, Path)) or _is_json(source):
            return [source]
        raws = self.raws(read_table(source), signature)
        return [raws[row : row + 1].reshape(()) for row in unstack_samples(range(len(raws)), source)]

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One row: of a CSV file that holds one, a {column: text, number or null}, or a record as `expand` gives it.

        Returns:
            A record () with the fields of the signature's columns.

        Raises:
            InputError: if the file has another number of rows than one, or the row does not fit the columns.
        """
        columns = columns_of(signature)
        if isinstance(source, (np.ndarray, np.void)):
            if source.dtype != columns.dtype or source.shape:
                raise InputError("row", f"must be one record of {columns.dtype}", f"{source.dtype} {source.shape}")
            return np.asarray(source)
        if isinstance(source, (str, Path)) and not _is_json(source):
            raws = self.raws(read_table(source), signature)
            if len(raws) != 1:
                raise InputError(str(source), "must hold one row to be one sample", len(raws))
            return raws.reshape(())
        given = source if isinstance(source, Mapping) else parse_json(str(source).encode(), "row")
        cells = {name: [_cell(given, name)] for name in (*columns.numbers, *columns.categories)}
        return encode(cells, columns, vocabulary_of(signature), lambda _: "row").reshape(())

    def raws(self, table: Table, signature: Signature) -> NDArray[Any]:
        """Every row of `table` as a raw sample (n,)."""
        columns = columns_of(signature)
        cells = {name: table.column(name) for name in (*columns.numbers, *columns.categories)}
        return encode(cells, columns, vocabulary_of(signature), table.where)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 "numbers" (n, columns), standardized, and int32 "categories" (n, columns).

        Where there is a step "bins", those of the numbers stand after them: (n, columns + bins).
        """
        found: Tensors = {}
        if "numbers" in (raws.dtype.names or ()):
            ops = [op for op in signature.preprocess if op["op"] in ("standardize", "bins", "clip")]
            numbers = preprocess.apply_ops(np.asarray(raws["numbers"], np.float32), ops)
            found["numbers"] = np.where(np.isnan(numbers), np.float32(0), numbers)  # the mean, standardized
        if "categories" in (raws.dtype.names or ()):
            found["categories"] = np.ascontiguousarray(raws["categories"], np.int32)
        return found

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Records (count,): normal numbers with the training samples' means and deviations; categories drawn evenly."""
        columns, known = columns_of(signature), vocabulary_of(signature)
        generator, made = np.random.Generator(np.random.PCG64(seed)), np.zeros(count, columns.dtype)
        if columns.numbers:
            drawn = generator.standard_normal((count, len(columns.numbers)))
            for op in signature.preprocess:
                if op["op"] == "standardize":
                    drawn = drawn * np.asarray(op["std"]) + np.asarray(op["mean"])
            made["numbers"] = drawn
        for place, name in enumerate(columns.categories):
            first, texts = known.unknown.get(name, 0), known.texts.get(name, ())
            made["categories"][:, place] = generator.integers(first, first + 1 + len(texts), count)
        return made


def _is_json(source: str | Path) -> bool:
    return isinstance(source, str) and source.lstrip().startswith("{")


def _cell(given: Any, name: str) -> str:
    """The value of a column as the cell of a CSV file would hold it."""
    if not isinstance(given, Mapping):
        raise InputError("row", "must be a JSON object: {column: value, ...}", given)
    if name not in given:
        raise InputError("row", f"needs a column {name!r}", ", ".join(map(str, given)), unknown_name_hint(name, given))
    value = given[name]
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, np.integer, np.floating)):
        raise InputError(f"row: {name!r}", "must be a text, a number or null", value)
    return str(value)
