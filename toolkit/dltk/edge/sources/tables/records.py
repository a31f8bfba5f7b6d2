"""The records of a delimited text: cells by line, with Python's csv module where it can."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from dltk.edge.sources.tables.faults import Faults

__all__ = ["Record", "are_quotes_letters", "comment_lines", "first_rows", "is_number", "records_of"]

Record = tuple[int, list[str]]  # the line that it starts in, and its cells
_SIGNS = {"tab": "\t", "space": " ", "::": "\x1f"}  # what csv is given, which takes one letter
_FIRST = 500  # rows by which a file is known
_OPEN = "Is a double quote left open?"
_BLANKS_AT_END = re.compile(rb"[ \t]+(?=\r?\n|\r|\Z)")
_QUOTED_CELL = re.compile(rb'"(?:[^"]|"")*"')


def records_of(
    data: bytes, separator: str, faults: Faults, *, breaks: bool = False, quotes: bool = True, line: int = 1
) -> Iterator[Record]:
    """Every record of `data`, UTF-8, that is not blank.

    Args:
        faults: takes what is no valid record; reading ends at an open quote.
        breaks: whether a cell may hold line breaks.
        quotes: whether double quotes enclose cells; if not they are letters.
        line: number of the first line.
    """
    if separator == "::":
        data = data.replace(b"::", b"\x1f")
    elif separator == "space":
        data = _BLANKS_AT_END.sub(b"", data)
    reader = csv.reader(
        io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""),
        strict=True,
        delimiter=_SIGNS.get(separator, separator),
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
        skipinitialspace=separator == "space",
    )
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            faults.add(start + line - 1, "must be valid CSV", str(fault), _OPEN)
            return
        if not breaks and reader.line_num != start:  # it went on in another line
            faults.add(start + line - 1, "a cell must not hold a line break", hint=_OPEN)
        elif row:
            yield start + line - 1, row


def comment_lines(data: bytes) -> list[bytes]:
    """The lines at the top of `data` that begin with "#", with their ends."""
    found, place = [], 0
    while data.startswith(b"#", place):
        end = data.find(b"\n", place) + 1 or len(data)
        found.append(data[place:end])
        place = end
    return found


def are_quotes_letters(data: bytes, separator: str) -> bool:
    """Whether double quotes enclose no cells: some line is no record with them, and each one is without them.

    Programs that write tabs or "::" often leave quotes as they are. Commas are always read with quotes.
    """
    if separator not in ("tab", "::") or b'"' not in data:
        return False
    sign = b"\t" if separator == "tab" else b"::"
    lines = [line for line in data.splitlines() if line]
    if len({line.count(sign) for line in lines}) > 1:
        return False
    cells = (cell for line in lines if b'"' in line for cell in line.split(sign))
    return any(cell.startswith(b'"') and not _QUOTED_CELL.fullmatch(cell) for cell in cells)


def first_rows(head: bytes, separator: str, *, quotes: bool | None = None) -> list[list[str]]:
    """The cells of the first lines; fewer where a quote is left open."""
    quotes = not are_quotes_letters(head, separator) if quotes is None else quotes
    records = records_of(head, separator, Faults("head"), breaks=True, quotes=quotes)
    return [row for _, row in islice(records, _FIRST)]


def is_number(cell: str) -> bool:
    """Whether `cell` is a number, with a point or a comma."""
    try:
        float(cell.replace(",", ".", 1))
    except ValueError:
        return False
    return True
