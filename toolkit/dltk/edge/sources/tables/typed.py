"""Tables that know their columns: JSON records, Parquet files and sheets of workbooks."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import parse_json
from dltk.edge.sources.tables.binary import read_parquet, read_sheet
from dltk.edge.sources.tables.contents import Contents, decoded
from dltk.edge.sources.tables.dialect import PLAIN, Dialect
from dltk.edge.sources.tables.faults import Faults, Questions
from dltk.edge.sources.tables.header import check_names
from dltk.edge.sources.tables.table import Table

__all__ = ["TYPED", "read_typed"]

_LINES = (".jsonl", ".ndjson")
TYPED = (".json", *_LINES, ".parquet", ".xlsx")
_MAX_CELLS = 50_000_000
_MOST_COLUMNS = 100_000


def read_typed(
    contents: Contents, path: Path, dialect: Dialect, required: Sequence[str], questions: Questions
) -> tuple[Table, list[str]]:
    """The table in a file of one of the kinds in `TYPED`, and what is to be reported of it.

    An empty value is an empty cell. Numbers stand as they are written, truths as true and false.

    Raises:
        InputError: naming record and key of a value that is itself a list or an object, a key given twice, or what is
            no such file; several sheets and none chosen.
        EnvironmentFault: if the package is missing that reads the file.
    """
    if contents.suffix == ".parquet":
        table, said = read_parquet(contents.data, path), list[str]()
    elif contents.suffix == ".xlsx":
        table, said = read_sheet(contents.data, path, dialect, required, questions)
    else:
        table, said = _read_json(contents, path, dialect.encoding, questions), []
    check_names(table, required, str(path), PLAIN)
    if not len(table):
        raise InputError(path, "must have rows", "none")
    return table, said


def _read_json(contents: Contents, path: Path, encoding: str, questions: Questions) -> Table:
    data, _ = decoded(contents.data, path, encoding, questions)
    faults = Faults(path, "line" if contents.suffix in _LINES else "record")
    records = list(_by_lines(data, faults) if contents.suffix in _LINES else _in_list(data, path, faults))
    faults.raise_if_any()
    names = list(dict.fromkeys(name for _, record in records for name in record))
    if len(names) > _MOST_COLUMNS or len(names) * len(records) > _MAX_CELLS:
        raise InputError(path, f"a table may have at most {_MAX_CELLS} cells", hint="Split it.")
    cells = tuple([_cell(record.get(name)) for _, record in records] for name in names)
    return Table(path, tuple(names), cells, array("q", [line for line, _ in records]), PLAIN, faults.unit)


def _by_lines(data: bytes, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            try:
                found = parse_json(line, number, as_written=True)
            except InputError as fault:
                faults.add(number, fault.rule, str(fault.received))
                continue
            if _is_record(found, number, faults):
                yield number, found


def _in_list(data: bytes, path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        found = parse_json(data, path, as_written=True)
    except InputError as fault:
        is_by_lines = str(fault.received).startswith("Extra data")
        hint = "If each line is an object, call the file .jsonl." if is_by_lines else ""
        raise InputError(path, fault.rule, fault.received, hint) from fault
    if not isinstance(found, list):
        hint = "Give a list of flat objects: [{column: value, ...}, ...]."
        raise InputError(path, "must be a list of records", _kind(found), hint)
    for number, record in enumerate(found, start=1):
        if _is_record(record, number, faults):
            yield number, record


def _is_record(found: Any, number: int, faults: Faults) -> bool:
    if not isinstance(found, dict):
        faults.add(number, "must be an object: {column: value, ...}", _kind(found))
        return False
    for name, value in found.items():
        if isinstance(value, (list, dict)):
            faults.add(
                number, f"{name!r} must be a text, a number, true, false or null", _kind(value), "Write flat records."
            )
            return False
    return True


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a single value"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
