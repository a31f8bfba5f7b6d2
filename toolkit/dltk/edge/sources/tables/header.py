"""The names of a table's columns: whether the first line holds them, and what is left of columns without a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dltk.base.errors import InputError, shorten, unknown_name_hint
from dltk.edge.sources.tables.dialect import Dialect
from dltk.edge.sources.tables.faults import Questions
from dltk.edge.sources.tables.records import is_number
from dltk.edge.sources.tables.table import Table

__all__ = ["check_names", "is_header_first", "numbered"]

_SEPARATOR_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SHOWN = 60  # letters of a line


def is_header_first(
    rows: Sequence[Sequence[str]], dialect: Dialect, where: str, questions: Questions, required: Sequence[str] = ()
) -> bool:
    """Whether the first of `rows` names the columns.

    Args:
        rows: cells of the first lines, as many as there are or were looked at.
        where: what errors call the first line.
        questions: is asked where that is to be found out and cannot be: the cells are numbers, or stand below again.
        required: names of columns; a line that holds all of them is a header.
    """
    if dialect.header != "auto":
        return dialect.header == "first"
    if not rows or (required and set(required) <= set(rows[0])):
        return True
    first, others = rows[0], rows[1:]
    columns = list(zip(*others)) if others else []
    numbers = sum(map(is_number, first))
    again = sum(bool(cell.strip()) and not is_number(cell) and cell in column for cell, column in zip(first, columns))
    shown, is_header = shorten(", ".join(first), _SHOWN), (numbers + again) * 2 < len(first)
    if dialect.names and not any(map(_has_a_title, first, columns)):
        return False
    if dialect.names:
        hint = "Set data.header=none if it is a row, or data.header=first if data.names replaces these names."
        questions.ask(where, "must be a row of the data, since data.names names the columns", shown, hint)
        return False
    if is_header:
        return True
    why = "numbers" if numbers * 2 >= len(first) else "numbers or stand below again"
    flag = f"data.names={','.join(_names_for(columns, required))}" if required else "data.header=none"
    hint = f"Set {flag} if it is a row of the data, or data.header=first if these are names."
    questions.ask(where, f"must name the columns, but most of its cells are {why}", shown, hint)
    return False


def _has_a_title(cell: str, column: Sequence[str]) -> bool:
    """Whether no number stands over a column of numbers."""
    return bool(cell.strip()) and not is_number(cell) and all(map(is_number, column))


def numbered(width: int) -> tuple[str, ...]:
    """Names of columns that have none: column_1 and so on."""
    return tuple(f"column_{place}" for place in range(1, width + 1))


def check_names(table: Table, required: Sequence[str], where: str, asked: Dialect) -> None:
    """Raise InputError unless the header names every column, each differently, and holds all of `required`.

    Args:
        asked: the dialect before anything was found: where the header is "auto" there, it may be a row.
    """
    header, dialect = table.header, table.dialect
    counts = Counter(header)
    missing = [name for name in required if name not in counts]
    if dialect.header == "first":
        used = _SEPARATOR_NAMES.get("\t" if dialect.separator == "tab" else dialect.separator, "what data.separator is")
        for sign, name in _SEPARATOR_NAMES.items():
            if (missing or len(header) == 1) and name != used and any(sign in cell for cell in header):
                raise InputError(where, f"cells must be separated by {used}", name, f"Save it with {used}.")
    if missing:
        given = [name for name in header if name not in required]
        hint = unknown_name_hint(missing[0], given)
        if asked.header != "first" and not set(required) & set(header):
            names = ",".join(_names_for(table.cells, required))
            hint = f"{hint} If that is a row of the data, set data.names={names}.".lstrip()
        raise InputError(where, f"needs a column {missing[0]!r}", ", ".join(header), hint)
    for name in header:
        if not name.strip() or counts[name] > 1:
            raise InputError(where, "every column needs a different name", repr(name))


def _names_for(columns: Sequence[Sequence[str]], required: Sequence[str]) -> list[str]:
    """Names of all columns: the last of `required`, a label, for the one with the fewest texts, then the others."""
    found = list(numbered(len(columns)))
    places = sorted(range(len(columns)), key=lambda place: len(set(columns[place])))
    named = dict(zip(places[:1], required[-1:]))
    named |= dict(zip(sorted(places[1:]), required[:-1]))
    return [named.get(place, name) for place, name in enumerate(found)]
