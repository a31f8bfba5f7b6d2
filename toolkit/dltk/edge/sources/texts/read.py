"""Texts from a file: a column of a table, or one text per line."""

from __future__ import annotations

from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import read_capped, resolved
from dltk.edge.sources.tables import PLAIN, Dialect, decoded, read_table

__all__ = ["check_text", "read_column", "read_lines"]

_MAX_LINES = 1_000_000
_MAX_BYTES = 1_000_000_000  # its lines take several times as much memory


def read_column(path: str | Path, column: str, dialect: Dialect = PLAIN) -> list[str]:
    """The texts in `column` of the table at `path`.

    Raises:
        InputError: naming file and line, if it cannot be read, has no such column or an empty cell in it.
    """
    table = read_table(path, dialect=dialect, required=(column,), breaks=True)
    return [check_text(cell, f"{table.where(row)}, column {column!r}") for row, cell in enumerate(table.column(column))]


def read_lines(path: str | Path, encoding: str = "utf-8") -> list[str]:
    """The lines of the text file at `path`, written in `encoding`; blank ones are passed over.

    Raises:
        InputError: naming file and line, on another encoding, a NUL, or no text at all.
    """
    data, _ = decoded(read_capped(resolved(path), _MAX_BYTES), Path(path), encoding)
    if data.count(b"\n") + data.count(b"\r") > _MAX_LINES:
        raise InputError(path, f"may have at most {_MAX_LINES} lines", hint="Split it.")
    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        text = line.decode("utf-8").strip()
        if text:
            found.append(check_text(text, f"{path}, line {number}"))
    if not found:
        raise InputError(path, "must hold text", "none")
    return found


def check_text(text: str, where: object) -> str:
    """`text`, if a model can be given it.

    Raises:
        InputError: if it is empty, holds a NUL, or what is no Unicode text.
    """
    if not text.strip():
        raise InputError(where, "must hold a text", repr(text))
    if "\0" in text:
        raise InputError(where, "must not hold a NUL character", repr(text))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise InputError(where, "must be Unicode text", ascii(text)) from fault
    return text
