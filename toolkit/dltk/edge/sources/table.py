"""A strict CSV reader: what Python's csv module passes over in silence is an error here, with its line."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, misnamed
from dltk.base.files import read_capped

__all__ = ["Table", "read_table"]

_MAX_BYTES = 1_000_000_000  # its cells take several times as much memory
_LARGEST = float(np.finfo(np.float32).max)
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file.

    Attributes:
        path: the file, as the user wrote it.
        header: names of the columns, all different.
        rows: the cells of each row, as many as the header has.
        lines: the line each row stands in, counted from 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of one column.

        Raises:
            InputError: if there is no such column.
        """
        if name not in self.header:
            raise InputError(f"{self.path}, line 1", f"needs a column {name!r}", hint=misnamed(name, self.header))
        index = self.header.index(name)
        return tuple(row[index] for row in self.rows)

    def numbers(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32 (rows, names): the columns `names` as finite numbers.

        Raises:
            InputError: naming the line of the first cell that is none.
        """
        found = np.empty((len(self.rows), len(names)), np.float32)
        for position, name in enumerate(names):
            for row, cell in enumerate(self.column(name)):
                found[row, position] = self._number(cell, row, name)
        return found

    def where(self, row: int) -> str:
        """ "FILE, line N" of a row."""
        return f"{self.path}, line {self.lines[row]}"

    def _number(self, cell: str, row: int, name: str) -> float:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not abs(number) <= _LARGEST:
            raise InputError(self.where(row), f"column {name!r} must hold a finite number", cell)
        return number


def read_table(path: str | Path, *, required: Sequence[str] = (), breaks: bool = False) -> Table:
    """The CSV file at `path`: UTF-8, comma-separated, a header line, every row as long as the header.

    Blank lines are passed over. `required` names columns that must be there; `breaks` allows line breaks in cells.

    Raises:
        InputError: naming file and line, on another encoding, a byte order mark, a NUL, another delimiter, a header
            name that is missing or stands twice, a short or long row, a line break in a cell, an unclosed quote.
    """
    text = _text(Path(path))
    records = list(_records(text, path, breaks))
    if not records:
        raise InputError(path, "must have a header line", "an empty file")
    line, header = records[0]
    _check_header(header, required, f"{path}, line {line}")
    for line, row in records[1:]:
        if len(row) != len(header):
            hint = "A cell that holds a comma must stand in double quotes."
            raise InputError(f"{path}, line {line}", f"must have {len(header)} cells", f"{len(row)}", hint)
    if len(records) == 1:
        raise InputError(path, "must have rows below the header", "none")
    rows = tuple(tuple(row) for _, row in records[1:])
    return Table(Path(path), tuple(header), rows, tuple(line for line, _ in records[1:]))


def _text(path: Path) -> str:
    data = read_capped(Path(os.path.realpath(path)), _MAX_BYTES)
    if data.startswith(b"\xef\xbb\xbf"):
        raise InputError(f"{path}, line 1", "must not start with a byte order mark", hint="Save it as plain UTF-8.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        byte = f"byte 0x{data[fault.start]:02x}"
        raise InputError(f"{path}, line {line}", "must be UTF-8", byte, "Save it as UTF-8.") from fault
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}", "must not hold a NUL character")
    return text


def _records(text: str, path: str | Path, breaks: bool) -> Iterator[tuple[int, list[str]]]:
    """(line of its start, cells) of every record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            hint = "Is a double quote left open?"
            raise InputError(f"{path}, line {start}", "must be valid CSV", str(fault), hint) from fault
        if not breaks and any("\n" in cell or "\r" in cell for cell in row):
            hint = "Is a double quote left open?"
            raise InputError(f"{path}, line {start}", "a cell must not hold a line break", hint=hint)
        if row:
            yield start, row


def _check_header(header: list[str], required: Sequence[str], where: str) -> None:
    missing = [name for name in required if name not in header]
    for sign, name in _OTHER_DELIMITERS.items():
        if (missing or len(header) == 1) and any(sign in cell for cell in header):
            raise InputError(where, "cells must be separated by commas", name, "Save it with commas.")
    if missing:
        given = [name for name in header if name not in required]
        raise InputError(where, f"needs a column {missing[0]!r}", ", ".join(header), misnamed(missing[0], given))
    for name in header:
        if not name.strip() or header.count(name) > 1:
            raise InputError(where, "every column needs a name of its own", repr(name))
