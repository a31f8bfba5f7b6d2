"""The first rows of a table and how many there are, without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import open_regular, resolved
from dltk.edge.sources.tables.contents import Contents, contents_of, is_plain_text
from dltk.edge.sources.tables.dialect import AUTO, Dialect, Note, ignore_note
from dltk.edge.sources.tables.read import read_contents
from dltk.edge.sources.tables.table import Table

__all__ = ["Head", "read_head"]

_BYTES = 1 << 20  # that are read as a table
_PIECE = 1 << 24  # bytes in which lines are counted at a time


@dataclass(frozen=True)
class Head:
    """The first rows of a table.

    Attributes:
        table: these rows, with the dialect that was found by them.
        rows: number of rows of the whole table.
        is_exact: False where `rows` is the number of lines: blank ones, and those inside quotes, count as rows.
    """

    table: Table
    rows: int
    is_exact: bool


def read_head(
    path: str | Path,
    *,
    rows: int = 10_000,
    dialect: Dialect = AUTO,
    required: Sequence[str] = (),
    breaks: bool = False,
    note: Note = ignore_note,
) -> Head:
    """At most `rows` first rows of the table at `path`; the rest of a long text is counted, not looked at.

    Raises:
        InputError: as `read_table`, for what stands in the first megabytes.
        EnvironmentFault: if the package is missing that reads a Parquet file or a workbook.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise InputError(path, "must be a .csv", "a folder", "Give the file in it.")
    lines_left = 0
    with open_regular(resolved(path)) as stream:
        first = stream.read(_BYTES)
        is_part = len(first) == _BYTES and is_plain_text(first, path)
        cut = first.rfind(b"\n") + 1 if is_part else 0
        if cut:
            lines_left = first.count(b"\n", cut)
            last = first
            while piece := stream.read(_PIECE):
                lines_left += piece.count(b"\n")
                last = piece
            lines_left += not last.endswith(b"\n")
    contents = Contents(path.suffix.lower(), first[:cut]) if cut else contents_of(path)
    table = read_contents(contents, path, dialect, required, breaks=breaks, note=note)
    total = len(table) + lines_left
    if len(table) > rows:
        table = replace(table, cells=tuple(cells[:rows] for cells in table.cells), lines=table.lines[:rows])
    return Head(table, total, not cut)
