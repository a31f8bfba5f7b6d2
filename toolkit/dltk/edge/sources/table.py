"""A strict CSV reader: what Python's csv module passes over in silence is an error here, with its line."""

from __future__ import annotations

import codecs
import csv
import io
import math
import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, unknown_name_hint
from dltk.base.files import read_capped, resolved

__all__ = ["Table", "read_table"]

_MAX_BYTES = 1_000_000_000
_MAX_CELLS = 50_000_000  # each takes 8 bytes, and a text that is not like one before it 60
_MOST_SHARED = 10_000  # different texts that are held once, however often they stand there
_LARGEST = float(np.finfo(np.float32).max)
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_PIECE = 1 << 20  # bytes that are decoded at a time


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file, held by columns.

    Attributes:
        path: the file, as the user wrote it.
        header: names of the columns, all different.
        cells: the cells of each column, as many as there are rows.
        lines: the line each row stands in, counted from 1.
    """

    path: Path
    header: tuple[str, ...]
    cells: tuple[Sequence[str], ...]
    lines: Sequence[int]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.lines)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.header)}

    def column(self, name: str) -> Sequence[str]:
        """The cells of one column.

        Raises:
            InputError: if there is no such column.
        """
        if name not in self._places:
            raise InputError(
                f"{self.path}, line 1", f"needs a column {name!r}", hint=unknown_name_hint(name, self.header)
            )
        return self.cells[self._places[name]]

    def numbers(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32 (rows, names): the columns `names` as finite numbers.

        Raises:
            InputError: naming the line of the first cell that is none.
        """
        found = np.empty((len(self), len(names)), np.float32)
        for position, name in enumerate(names):
            numbers = (self._number(cell, row, name) for row, cell in enumerate(self.column(name)))
            found[:, position] = np.fromiter(numbers, np.float64, len(self))
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
    data = _checked(Path(path))
    records = _records(data, path, breaks)
    line, header = next(records, (0, []))
    if not header:
        raise InputError(path, "must have a header line", "an empty file")
    _check_header(header, required, f"{path}, line {line}")
    cells: tuple[list[str], ...] = tuple([] for _ in header)
    lines, shared = array("q"), dict[str, str]()
    width, most, appends = len(header), _MAX_CELLS // len(header), [column.append for column in cells]
    for line, row in records:
        if len(row) != width:
            hint = "Put a cell that contains a comma in double quotes."
            raise InputError(f"{path}, line {line}", f"must have {width} cells", f"{len(row)}", hint)
        if len(lines) == most:
            raise InputError(f"{path}, line {line}", f"a table may have at most {_MAX_CELLS} cells", hint="Split it.")
        lines.append(line)
        keep = shared.setdefault if len(shared) < _MOST_SHARED else shared.get
        for append, cell in zip(appends, row):
            append(keep(cell, cell))
    if not lines:
        raise InputError(path, "must have rows below the header", "none")
    return Table(Path(path), tuple(header), cells, lines)


def _checked(path: Path) -> bytes:
    """The bytes of a file that is UTF-8 without a byte order mark or a NUL."""
    if os.path.isdir(path):  # which a name that cannot be is not
        raise InputError(path, "must be a .csv", "a folder", "Give the file in it.")
    data = read_capped(resolved(path), _MAX_BYTES)
    if data.startswith(b"\xef\xbb\xbf"):
        raise InputError(f"{path}, line 1", "must not start with a byte order mark", hint="Save it as plain UTF-8.")
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data) + 1, _PIECE):
        left = len(decoder.getstate()[0])  # bytes of a letter that began in the piece before
        try:
            decoder.decode(data[start : start + _PIECE], final=start + _PIECE > len(data))
        except UnicodeDecodeError as fault:
            place = start - left + fault.start
            line = data.count(b"\n", 0, place) + 1
            byte = f"byte 0x{data[place]:02x}"
            raise InputError(f"{path}, line {line}", "must be UTF-8", byte, "Save it as UTF-8.") from fault
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InputError(f"{path}, line {line}", "must not hold a NUL character")
    return data


def _records(data: bytes, path: str | Path, breaks: bool) -> Iterator[tuple[int, list[str]]]:
    """(line of its start, cells) of every record that is not blank."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            hint = "Is a double quote left open?"
            raise InputError(f"{path}, line {start}", "must be valid CSV", str(fault), hint) from fault
        if not breaks and reader.line_num != start:  # it went on in another line
            hint = "Is a double quote left open?"
            raise InputError(f"{path}, line {start}", "a cell must not hold a line break", hint=hint)
        if row:
            yield start, row


def _check_header(header: list[str], required: Sequence[str], where: str) -> None:
    counts = Counter(header)
    missing = [name for name in required if name not in counts]
    for sign, name in _OTHER_DELIMITERS.items():
        if (missing or len(header) == 1) and any(sign in cell for cell in header):
            raise InputError(where, "cells must be separated by commas", name, "Save it with commas.")
    if missing:
        given = [name for name in header if name not in required]
        raise InputError(
            where, f"needs a column {missing[0]!r}", ", ".join(header), unknown_name_hint(missing[0], given)
        )
    for name in header:
        if not name.strip() or counts[name] > 1:
            raise InputError(where, "every column needs a different name", repr(name))
