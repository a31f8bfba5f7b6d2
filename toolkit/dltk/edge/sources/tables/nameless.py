"""Columns without a name, and lines before the header: what programs add that is no data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dltk.edge.sources.tables.dialect import Dialect
from dltk.edge.sources.tables.records import first_rows, is_number
from dltk.edge.sources.tables.table import Table

__all__ = ["comment_header", "without_nameless"]

_HEAD = 1 << 20  # bytes that are looked at


def without_nameless(table: Table) -> tuple[Table, list[str]]:
    """`table` without empty columns at its end and an index before it, and what is to be reported of them.

    A first column without a name that counts rows is left out; any other is called column_1.
    """
    header, cells, said = list(table.header), list(table.cells), []
    dropped = 0
    while len(header) > 1 and not header[-1].strip() and not any(cell.strip() for cell in cells[-1]):
        header.pop()
        cells.pop()
        dropped += 1
    if dropped:
        said.append(f"{dropped} empty column{'s' * (dropped > 1)} at the end left out")
    if len(header) > 1 and not header[0].strip() and all(name.strip() for name in header[1:]):
        if _counts(cells[0]):
            header, cells = header[1:], cells[1:]
            said.append("first column left out: it has no name and numbers the rows")
        elif "column_1" not in header:
            header[0] = "column_1"
            said.append("first column has no name: called column_1")
    return (replace(table, header=tuple(header), cells=tuple(cells)) if said else table), said


def _counts(cells: Sequence[str]) -> bool:
    """Whether each cell is another whole number of at least 0."""
    return all(cell.isascii() and cell.isdigit() for cell in cells) and len(set(map(int, cells))) == len(cells)


def comment_header(line: bytes, body: bytes, dialect: Dialect, required: Sequence[str]) -> bytes:
    """The header in the last line at the top that begins with "#"; empty where it is a comment.

    It is the header if it has a cell for each column and what is below it is no header: its first line is like the
    others. A "#" with a space behind it is no part of a name.
    """
    line = line[1:].lstrip(b" \t") if line[1:2].isspace() else line
    (top, *_), rows = first_rows(line, dialect.separator) or [[]], first_rows(body[:_HEAD], dialect.separator)
    if not rows or len(top) < 2 or len(top) != len(rows[0]) or (required and set(required) <= set(rows[0])):
        return b"" if rows else line
    has_title = any(
        not is_number(column[0]) and all(map(is_number, column[1:])) and len(column) > 1
        for column in zip(*rows)
    )  # fmt: skip
    return b"" if has_title else line
