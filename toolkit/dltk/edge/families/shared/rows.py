"""A row of a table as a sample: what families share whose samples are numbers and categories by column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, unknown_name_hint
from dltk.base.files import parse_json
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import SingleSample, Tensors, unstack_samples
from dltk.edge.families.shared.columns import columns_of, encode
from dltk.edge.input import preprocess
from dltk.edge.input.vocabulary import vocabulary_of
from dltk.edge.sources.tables import Table, dialect_of, read_table

__all__ = ["Rows"]


class Rows(SingleSample):
    """Raw sample: a record of `Columns.dtype`. A source is a CSV file, a JSON object as text, or a dictionary."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """A CSV file: its rows; anything else: itself."""
        if not isinstance(source, (str, Path)) or _is_json(source):
            return [source]
        raws = self.raws(read_table(source, dialect=dialect_of(signature)), signature)
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
            raws = self.raws(read_table(source, dialect=dialect_of(signature)), signature)
            if len(raws) != 1:
                raise InputError(str(source), "must hold one row to be one sample", len(raws))
            return raws.reshape(())
        given = source if isinstance(source, Mapping) else parse_json(str(source).encode(), "row")
        cells = {name: [_cell(given, name)] for name in columns.features}
        return encode(cells, columns, vocabulary_of(signature), lambda _: "row").reshape(())

    def raws(self, table: Table, signature: Signature) -> NDArray[Any]:
        """Every row of `table` as a raw sample (n,)."""
        columns = columns_of(signature)
        cells = {name: table.column(name) for name in columns.features}
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
        if "numbers" in (made.dtype.names or ()):
            drawn = generator.standard_normal(made["numbers"].shape)
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
