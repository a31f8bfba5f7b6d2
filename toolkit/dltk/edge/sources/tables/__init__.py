"""Tables: texts of separated cells, JSON records, Parquet files and sheets; found out, stated, and read by columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltk.base.lazy import lazy_names
from dltk.edge.sources.tables.contents import TABLE_SUFFIXES, decoded, is_table_file
from dltk.edge.sources.tables.dialect import AUTO, PLAIN, Dialect, Note, dialect_of, ignore_note, with_dialect
from dltk.edge.sources.tables.faults import Faults, Questions
from dltk.edge.sources.tables.read import read_table
from dltk.edge.sources.tables.table import Table

if TYPE_CHECKING:
    from dltk.edge.sources.tables.head import Head, read_head

__all__ = [
    "AUTO",
    "PLAIN",
    "TABLE_SUFFIXES",
    "Dialect",
    "Faults",
    "Head",
    "Note",
    "Questions",
    "Table",
    "decoded",
    "dialect_of",
    "ignore_note",
    "is_table_file",
    "read_head",
    "read_table",
    "with_dialect",
]

__getattr__ = lazy_names(dict.fromkeys(("Head", "read_head"), f"{__name__}.head"))  # a device reads whole tables
