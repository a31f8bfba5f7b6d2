"""Reads the tables of an inspection: each file once, and of a large one the first rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dltk.base.errors import DltkError
from dltk.edge.sources.tables import PLAIN, Dialect, Head, Note, Table, ignore_note, read_head, read_table
from dltk.edge.sources.tables.read import READER

__all__ = ["Reading"]

_ROWS = 10_000  # that are looked at


@dataclass
class Reading:
    """The tables that were read.

    Attributes:
        is_whole: whether all rows of a table are read, however many.
        heads: those that the last recipe read, in order.
    """

    is_whole: bool = False
    heads: list[Head] = field(default_factory=list)
    _known: dict[object, tuple[Head | DltkError, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def is_part(self) -> bool:
        """Whether rows of some table were not looked at."""
        return any(_is_part(found) for found, _ in self._known.values() if isinstance(found, Head))

    @contextmanager
    def used(self) -> Iterator[None]:
        """Until the block ends, `read_table` is this reader."""
        token = READER.set(self._read)
        try:
            yield
        finally:
            READER.reset(token)

    def _read(
        self,
        path: Path,
        *,
        dialect: Dialect = PLAIN,
        required: Sequence[str] = (),
        breaks: bool = False,
        note: Note = ignore_note,
    ) -> Table:
        key = (path, dialect, tuple(required), breaks)
        if key not in self._known:
            lines: list[str] = []
            try:
                head: Head | DltkError = self._head(path, dialect, required, breaks, lines.append)
            except DltkError as fault:
                head = fault
            self._known[key] = head, tuple(lines)
        found, said = self._known[key]
        if isinstance(found, DltkError):
            raise found
        self.heads.append(found)
        for line in said:
            note(_of_part(line, found))
        return found.table

    def _head(self, path: Path, dialect: Dialect, required: Sequence[str], breaks: bool, note: Note) -> Head:
        if not self.is_whole:
            return read_head(path, rows=_ROWS, dialect=dialect, required=required, breaks=breaks, note=note)
        token = READER.set(None)
        try:
            table = read_table(path, dialect=dialect, required=required, breaks=breaks, note=note)
        finally:
            READER.reset(token)
        return Head(table, len(table), True)


def _is_part(head: Head) -> bool:
    return len(head.table) < head.rows


def _of_part(line: str, head: Head) -> str:
    """The line on how a table is written, without a number of rows that is not that of the file."""
    return ", ".join(part for part in line.split(", ") if not part.endswith(" rows")) if _is_part(head) else line
