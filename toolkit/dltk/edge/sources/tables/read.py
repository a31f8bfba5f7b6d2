"""Reads a table: what Python's csv module passes over in silence is an error here, with its line."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.edge.sources.tables.contents import Contents, contents_of, decoded
from dltk.edge.sources.tables.dialect import PLAIN, Dialect, Note, ignore_note
from dltk.edge.sources.tables.faults import Faults, Questions
from dltk.edge.sources.tables.header import check_names, is_header_first, numbered
from dltk.edge.sources.tables.nameless import comment_header, without_nameless
from dltk.edge.sources.tables.numbers import with_points
from dltk.edge.sources.tables.records import Record, are_quotes_letters, comment_lines, records_of
from dltk.edge.sources.tables.table import Table, stated
from dltk.edge.sources.tables.typed import TYPED, read_typed

__all__ = ["READER", "read_contents", "read_table"]

_MAX_CELLS = 50_000_000  # each takes 8 bytes, and a text that is not like one before it 60
_MOST_SHARED = 10_000  # different texts that are held once, however often they stand there
_SIGNS = {
    ",": "a comma", ";": "a semicolon", "tab": "a tab", "|": "a bar", "::": "two colons", "space": "a space"
}  # fmt: skip
_HEAD = 1 << 20  # bytes by which the separator is found
_FIRST = 500  # rows by which a header is told from a row

# Takes the place of `read_table`, with its arguments, where one is set: such as one that reads the first rows alone.
READER: ContextVar[Callable[..., Table] | None] = ContextVar("READER", default=None)


def read_table(
    path: str | Path,
    *,
    dialect: Dialect = PLAIN,
    required: Sequence[str] = (),
    breaks: bool = False,
    note: Note = ignore_note,
) -> Table:
    """The table in the file at `path`, every row as long as the header; blank lines are passed over.

    A text in the given dialect, by its name JSON records, Parquet or a sheet of a workbook; maybe packed by gzip, or
    the only table in a zip. What is "auto" in `dialect` is found in the file; the table has what was found.

    Args:
        required: names of columns that must be there.
        breaks: whether cells may hold line breaks.
        note: called with one line on how the file was read, unless it is a plain CSV.

    Raises:
        InputError: naming file and line, on another encoding, a NUL, another separator, a header name that is missing
            or stands twice, short or long rows, a line break in a cell, an unclosed quote; or both readings and their
            settings where the file can be read in two ways.
        EnvironmentFault: if the package is missing that reads a Parquet file or a workbook.
    """
    path, reader = Path(path), READER.get()
    if reader is not None:
        return reader(path, dialect=dialect, required=required, breaks=breaks, note=note)
    return read_contents(contents_of(path), path, dialect, required, breaks=breaks, note=note)


def read_contents(
    contents: Contents, path: Path, dialect: Dialect, required: Sequence[str], *, breaks: bool, note: Note
) -> Table:
    """The table in `contents`; for the arguments and Raises see `read_table`.

    Raises:
        InputError: as `read_table`.
        EnvironmentFault: as `read_table`.
    """
    said, questions = [contents.packing] if contents.packing else [], Questions()
    try:
        if contents.suffix in TYPED:
            table, details, is_quoted = *read_typed(contents, path, dialect, required, questions), False
        else:
            table, details, is_quoted = _read_text(contents.data, path, dialect, required, questions, breaks=breaks)
            may_hold_commas = table.dialect.separator != "," or is_quoted
            table = with_points(table, questions, may_hold_commas=may_hold_commas)
    except InputError:
        questions.raise_if_any()  # what was wrong may follow from how they were left open
        raise
    questions.raise_if_any()
    line = stated(table, contents.suffix, [*said, *details], is_quoted=is_quoted)
    if line:
        note(line)
    return table


def _read_text(
    data: bytes, path: Path, dialect: Dialect, required: Sequence[str], questions: Questions, *, breaks: bool
) -> tuple[Table, list[str], bool]:
    """The table, what is to be reported of it, and whether cells are quoted."""
    data, encoding = decoded(data, path, dialect.encoding, questions)
    comments = comment_lines(data)
    body = data[sum(map(len, comments)) :]
    separator = dialect.separator
    if separator == "auto":
        separator = _separator_in(body or data, path, questions, required)
    resolved = replace(dialect, separator=separator, encoding=encoding)
    header = comment_header(comments[-1], body, resolved, required) if comments else b""
    if comments:
        comments, data = comments[:-1] if header else comments, header + body
    faults, quotes = Faults(path), not are_quotes_letters(data, separator)
    records = records_of(data, separator, faults, breaks=breaks, quotes=quotes, line=len(comments) + 1)
    table, details = _table(records, path, resolved, required, questions, faults)
    details = [
        *details,
        *([f"{len(comments)} comment line{'s' * (len(comments) > 1)} passed over"] if comments else []),
    ]
    details += [] if quotes else ["double quotes are letters"]
    return table, details, quotes and b'"' in data


@installed_only
def _separator_in(data: bytes, path: Path, questions: Questions, required: Sequence[str]) -> str:
    from dltk.edge.sources.tables.sniff import separator_of

    head = data if len(data) <= _HEAD else data[: data.rfind(b"\n", 0, _HEAD) + 1 or _HEAD]
    return separator_of(head, path, questions, required)


def _table(
    records: Iterator[Record],
    path: Path,
    asked: Dialect,
    required: Sequence[str],
    questions: Questions,
    faults: Faults,
) -> tuple[Table, list[str]]:
    first = list(islice(records, _FIRST))
    if not first:
        faults.raise_if_any()
        raise InputError(path, "must have a header line", "an empty file")
    line, top = first[0]
    where = f"{path}, line {line}"
    is_named = is_header_first([row for _, row in first], asked, where, questions, required)
    dialect = replace(asked, header="first" if is_named else "none")
    header = top if is_named else numbered(len(top))
    header, width = _given_names(header, dialect, where), len(top)
    if is_named and dialect.separator in ("tab", "space") and {len(row) for _, row in first[1:]} == {width + 1}:
        header, width = ["", *header], width + 1  # as R writes row names
    extra = is_named and len(first) > 1 and all(len(row) == width + 1 and not row[-1].strip() for _, row in first[1:])
    if extra:
        header, width = [*header, ""], width + 1
    rows = chain(first[1:] if is_named else first, records)
    cells, lines = _columns(rows, width, path, dialect.separator, faults)
    table, details = without_nameless(Table(path, tuple(header), cells, lines, dialect))
    check_names(table, required, where, asked)
    faults.raise_if_any()
    if not lines:
        raise InputError(path, "must have rows below the header", "none")
    return table, details


def _given_names(header: Sequence[str], dialect: Dialect, where: str) -> list[str]:
    if not dialect.names:
        return list(header)
    if len(dialect.names) != len(header):
        received = f"{len(dialect.names)} names for {len(header)} columns"
        raise InputError(where, "data.names must name every column", received, "Name all of them, in their order.")
    return list(dialect.names)


def _columns(
    rows: Iterator[Record], width: int, path: Path, separator: str, faults: Faults
) -> tuple[tuple[list[str], ...], array[int]]:
    """Cells by column, and the line of each row; rows of another length are faults."""
    cells: tuple[list[str], ...] = tuple([] for _ in range(width))
    lines, shared = array("q"), dict[str, str]()
    most, appends = _MAX_CELLS // width, [column.append for column in cells]
    for line, row in rows:
        if len(row) != width:
            hint = f"Put a cell that contains {_SIGNS[separator]} in double quotes."
            faults.add(line, f"must have {width} cells", f"{len(row)}", hint)
            continue
        if len(lines) == most:
            raise InputError(f"{path}, line {line}", f"a table may have at most {_MAX_CELLS} cells", hint="Split it.")
        lines.append(line)
        keep = shared.setdefault if len(shared) < _MOST_SHARED else shared.get
        for append, cell in zip(appends, row):
            append(keep(cell, cell))
    return cells, lines
