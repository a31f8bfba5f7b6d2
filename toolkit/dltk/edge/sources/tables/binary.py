"""Parquet files and sheets of workbooks, by the packages of the extra `tables`."""

from __future__ import annotations

import datetime
import io
import math
import zipfile
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dltk.base.archives import ARCHIVE_FAULTS, require_modest_archive
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.install import pip_extra
from dltk.edge.sources.tables.dialect import PLAIN, Dialect
from dltk.edge.sources.tables.faults import Questions
from dltk.edge.sources.tables.header import is_header_first, numbered
from dltk.edge.sources.tables.nameless import without_nameless
from dltk.edge.sources.tables.table import Table

__all__ = ["read_parquet", "read_sheet"]

_MAX_BYTES = 1_000_000_000
_MAX_CELLS = 50_000_000


def read_parquet(data: bytes, path: Path) -> Table:
    """The table in a Parquet file, by record.

    Raises:
        InputError: if it is damaged, too large, or a column holds lists or records.
        EnvironmentFault: if the package pyarrow is missing.
    """
    try:
        from pyarrow import lib, parquet, types
    except ImportError as fault:
        raise _missing(path, "a Parquet file", "pyarrow") from fault
    try:
        file = parquet.ParquetFile(io.BytesIO(data), memory_map=False)
        meta = file.metadata
        size = sum(meta.row_group(place).total_byte_size for place in range(meta.num_row_groups))
        if meta.num_rows * max(1, meta.num_columns) > _MAX_CELLS or size > _MAX_BYTES:
            received = f"{meta.num_rows} rows of {meta.num_columns}, {size} bytes"
            raise InputError(path, f"a table may have at most {_MAX_CELLS} cells in {_MAX_BYTES} bytes", received)
        schema = file.schema_arrow
        nested = [item.name for item in schema if types.is_nested(item.type)]
        if nested:
            raise InputError(path, f"column {nested[0]!r} must hold texts or numbers", "lists or records")
        names = [item.name for item in schema if item.name != "__index_level_0__"]
        found = file.read(columns=names)
        cells = tuple([_cell(value) for value in found.column(name).to_pylist()] for name in names)
    except (lib.ArrowException, OSError, ValueError, OverflowError, MemoryError) as fault:
        raise InputError(path, "must be a whole Parquet file", str(fault).splitlines()[0]) from fault
    rows = array("q", range(1, found.num_rows + 1))
    return without_nameless(Table(path, tuple(names), cells, rows, PLAIN, "record"))[0]


def read_sheet(
    data: bytes, path: Path, dialect: Dialect, required: Sequence[str], questions: Questions
) -> tuple[Table, list[str]]:
    """The table in a sheet of a workbook (.xlsx), and what is to be reported of it.

    Raises:
        InputError: if it is damaged or too large, or has several sheets and `dialect` names none.
        EnvironmentFault: if the package python-calamine is missing.
    """
    try:
        import python_calamine
    except ImportError as fault:
        raise _missing(path, "a workbook", "python-calamine") from fault
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            require_modest_archive(archive, path, packed=len(data), limit=_MAX_BYTES)
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            name = _sheet_name(book.sheet_names, dialect, path)
            sheet = book.get_sheet_by_name(name)
            if sheet.total_height * sheet.total_width > _MAX_CELLS:
                raise InputError(path, f"a table may have at most {_MAX_CELLS} cells", hint="Split it.")
            rows = [[_cell(value) for value in row] for row in sheet.to_python(skip_empty_area=True)]
    except (python_calamine.CalamineError, *ARCHIVE_FAULTS) as fault:
        raise InputError(path, "must be a whole .xlsx file", str(fault), "Save it again, or as CSV.") from fault
    lines = [number for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError(f"{path}, sheet {name!r}", "must have a header line", "an empty sheet")
    is_named = is_header_first(rows[:500], dialect, f"{path}, row {lines[0]}", questions, required)
    given = dialect.names or (rows[0] if is_named else numbered(len(rows[0])))
    if len(given) != len(rows[0]):
        raise InputError(path, "data.names must name every column", f"{len(given)} names for {len(rows[0])} columns")
    body, numbers = (rows[1:], lines[1:]) if is_named else (rows, lines)
    sheet_dialect = replace(
        PLAIN, header="first" if is_named else "none", names=dialect.names, sheet=name if dialect.sheet else None
    )
    cells = tuple([row[place] for row in body] for place in range(len(given)))
    return without_nameless(Table(path, tuple(given), cells, array("q", numbers), sheet_dialect, "row"))


def _sheet_name(names: list[str], dialect: Dialect, path: Path) -> str:
    shown = ", ".join(names)
    if dialect.sheet is not None and dialect.sheet in names:
        return dialect.sheet
    if len(names) == 1:
        return names[0]
    rule = "one sheet must be chosen" if dialect.sheet is None else f"has no sheet {dialect.sheet!r}"
    raise InputError(path, rule, shown, f"Set data.sheet={names[0]}." if names else "")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        text = value.isoformat(" ") if isinstance(value, datetime.datetime) else value.isoformat()
        return text.removesuffix(" 00:00:00")
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)


def _missing(path: Path, what: str, package: str) -> EnvironmentFault:
    hint = f"Install it: {pip_extra('tables')}"
    return EnvironmentFault(path, f"{what} needs the package {package}", "no such package", hint)
