"""Numbers as people write them: which sign is the decimal one, and whether the other groups thousands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dltk.edge.sources.tables.faults import Faults, Questions
from dltk.edge.sources.tables.table import Table

__all__ = ["with_points"]

_SAMPLE = 1000  # cells of a column by which it is one of numbers or not
_WITNESSES = 5000  # cells with a sign that are looked at in a column


def _grammar(decimal: str, group: str) -> re.Pattern[str]:
    point, comma = re.escape(decimal), re.escape(group)
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:{comma}\d{{3}})+)"
    return re.compile(rf"\s*[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?\s*")


_READINGS = {".": _grammar(".", ","), ",": _grammar(",", ".")}
_OTHER = {".": ",", ",": "."}


def with_points(table: Table, questions: Questions, *, may_hold_commas: bool) -> Table:
    """`table` with its numbers as Python reads them, and the decimal sign in its dialect.

    A column is one of numbers if most of its filled cells are. Where the cells are separated by something else than
    commas, a comma in numbers is the decimal sign unless some number shows otherwise.

    Args:
        questions: is asked where both readings would do.
        may_hold_commas: False saves the search where no cell can.

    Raises:
        InputError: naming the lines of numbers that are not written as the others are.
    """
    dialect = table.dialect
    is_open = dialect.decimal == "auto"
    if dialect.decimal == "." and dialect.grouped is False:
        return table
    if not may_hold_commas and (dialect.separator in (",", "space") or not is_open) and dialect.decimal != ",":
        return replace(table, dialect=replace(dialect, decimal=".", grouped=False))
    columns = [place for place, cells in enumerate(table.cells) if _is_numeric(cells)]
    decimal = _decimal_of(table, columns, questions) if is_open else dialect.decimal
    cells, faults, grouped = list(table.cells), Faults(table.path, table.unit), False
    for place in columns:
        cells[place], has_groups = _converted(table, place, decimal, faults)
        grouped |= has_groups
    faults.raise_if_any()
    return replace(table, cells=tuple(cells), dialect=replace(dialect, decimal=decimal, grouped=grouped))


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether most filled cells are numbers by one of the two readings, some with a sign."""
    filled = [cell for cell in cells[:: max(1, len(cells) // _SAMPLE)] if cell.strip()]
    found = sum(any(reading.fullmatch(cell) for reading in _READINGS.values()) for cell in filled)
    return found * 2 > len(filled)


def _decimal_of(table: Table, columns: Iterable[int], questions: Questions) -> str:
    by_comma = table.dialect.separator == ","
    shown: dict[str, tuple[int, str, str]] = {}  # sign -> row, column and cell that only it explains
    open_cell = None
    for place in columns:
        for row, cell in _signed(table.cells[place], commas_only=by_comma):
            fits = [sign for sign, reading in _READINGS.items() if reading.fullmatch(cell)]
            is_certain = not by_comma or fits == ["."] or cell.count(",") + cell.count(".") > 1
            if len(fits) == 1 and is_certain:
                shown.setdefault(fits[0], (row, table.header[place], cell))
            elif fits:
                open_cell = open_cell or (row, table.header[place], cell)
        if len(shown) == 2:
            break
    if len(shown) == 1:
        return next(iter(shown))
    if len(shown) == 2:
        (row, name, cell), (other, other_name, other_cell) = shown["."], shown[","]
        received = f"{cell} in {name!r}; {other_cell} in {other_name!r}, {table.unit} {table.lines[other]}"
        hint = f"Set data.decimal=. if {other_cell} is a text; or write all numbers with one sign."
        questions.ask(table.where(row), "numbers must have one decimal sign", received, hint)
        return "."
    if open_cell is None:
        return "."
    row, name, cell = open_cell
    readings = [f"data.decimal={sign} if it is {_read(cell, sign)}" for sign in (".", ",")]
    rule = f"the numbers of column {name!r} must have one reading"
    questions.ask(table.where(row), rule, cell, f"Set {', or '.join(readings)}.")
    return "."


def _signed(cells: Sequence[str], *, commas_only: bool) -> list[tuple[int, str]]:
    """(row, cell) of the first cells with a comma or a point, of each way to write one."""
    found: list[tuple[int, str]] = []
    for row, cell in enumerate(cells):
        if "," in cell or (not commas_only and "." in cell):
            found.append((row, cell))
            if len(found) == _WITNESSES:
                break
    return found


def _read(cell: str, decimal: str) -> str:
    if not _READINGS[decimal].fullmatch(cell):
        return "a text"
    return cell.strip().replace(_OTHER[decimal], "").replace(",", ".")


def _converted(table: Table, place: int, decimal: str, faults: Faults) -> tuple[Sequence[str], bool]:
    """The cells of a column of numbers with points, and whether thousands are grouped in some."""
    cells, reading, group = table.cells[place], _READINGS[decimal], _OTHER[decimal]
    allowed, has_groups, found = table.dialect.grouped is not False, False, list(cells)
    for row, cell in enumerate(cells):
        if "," not in cell and (decimal == "." or "." not in cell):
            continue
        if reading.fullmatch(cell) and (allowed or group not in cell):
            has_groups |= group in cell
            found[row] = cell.replace(group, "").replace(",", ".")
        elif decimal == ",":  # Python would read another number
            hint = "Is it a number with a decimal point? Correct it, or set data.decimal=. for a file with points."
            rule = f"column {table.header[place]!r} must hold numbers with a decimal comma"
            faults.add(table.lines[row], rule, cell, hint)
    return found, has_groups
