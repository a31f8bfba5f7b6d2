"""A CSV that names files and their labels, whatever its columns are called."""

from __future__ import annotations

import os
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.sources.kinds import FileKind
from dltk.edge.sources.labels import check_label, check_labels
from dltk.edge.sources.listings.cells import resolve_listed_path, split_of
from dltk.edge.sources.listings.columns import Files, find_files, find_labels, find_splits
from dltk.edge.sources.listings.found import Layout, Listing, nfc
from dltk.edge.sources.tables import Table, read_table

__all__ = ["list_table", "read_listed"]


def read_listed(path: Path, layout: Layout) -> tuple[Table, list[str]]:
    """The table at `path`, in the dialect of `layout`, and a sentence on how it was read, unless it is a plain CSV.

    Raises:
        InputError: as `read_table`.
    """
    notes: list[str] = []
    return read_table(path, dialect=layout.dialect, note=notes.append), notes


def list_table(
    table: Table, kind: FileKind, layout: Layout, *, group: str | None, multi_label: bool, least_classes: int
) -> Listing:
    """The files that `table` names, with their labels.

    Columns other than `path` and `label`, and folders other than that of the CSV, are looked for; what was found is
    noted. Labels may also stand in one column each, as 0 and 1.

    Raises:
        InputError: if a column is missing, several may be meant, or naming the line of what cannot be.
    """
    base = table.path.absolute().parent
    files, split = find_files(table, kind, layout), find_splits(table)
    others = (files.column, *((split,) if split else ()), *((group,) if group else ()))
    columns = find_labels(table, layout, others, multi_label=multi_label)
    names = table.column(files.column)
    classes = _classes(table, columns, multi_label)
    order = sorted(range(len(names)), key=lambda row: (names[row], row))
    paths = [_path(base, files, name, table.where(row)) for row, name in enumerate(names)]
    splits: list[str | None] = [None] * len(names)
    if split:
        splits = [split_of(cell, table.where(row)) for row, cell in enumerate(table.column(split))]
    groups = table.column(group) if group else None
    return Listing(
        tuple(names[row] for row in order),
        tuple(paths[row] for row in order),
        tuple(tuple(nfc(name) for name in classes[row]) for row in order),
        check_labels((name for row in classes for name in row), table.path, least=least_classes),
        tuple(splits[row] for row in order),
        None if groups is None else tuple(groups[row] for row in order),
        notes=_notes(table, base, files, columns, split),
    )


def _path(base: Path, files: Files, name: str, where: str) -> Path:
    if files.folder == base and not files.suffix:
        return resolve_listed_path(base, name, where)
    return resolve_listed_path(files.folder, f"{name.strip()}{files.suffix}" if name.strip() else name, where)


def _classes(table: Table, columns: str | tuple[str, ...], multi_label: bool) -> list[tuple[str, ...]]:
    if isinstance(columns, str):
        cells = table.column(columns)
        return [_labels_of(cell, multi_label, table.where(row)) for row, cell in enumerate(cells)]
    names = [check_label(name.strip(), f"{table.path}, line 1") for name in columns]
    flags = zip(*(table.column(column) for column in columns), strict=True)
    return [
        tuple(name for name, cell in zip(names, row, strict=True) if cell.strip().casefold() in ("1", "1.0", "true"))
        for row in flags
    ]


def _notes(
    table: Table, base: Path, files: Files, columns: str | tuple[str, ...], split: str | None
) -> tuple[str, ...]:
    usual = (files.column, columns, split) in (("path", "label", "split"), ("path", "label", None))
    if usual and files.folder == base and not files.suffix:
        return ()
    place = "" if files.folder == base else f" in {os.path.relpath(files.folder, base)}/"
    suffix = f" with {files.suffix} added" if files.suffix else ""
    labels = f"labels: {columns!r}" if isinstance(columns, str) else f"one column per label: {len(columns)} labels"
    splits = f"; splits: {split!r}" if split else ""
    used = {files.column, split, *((columns,) if isinstance(columns, str) else columns)}
    rest = [name for name in table.header if name not in used]
    unused = f"; not used: {', '.join(rest[:5])}{' ...' if len(rest) > 5 else ''}" if rest else ""
    return (f"columns of {table.path.name}: files: {files.column!r}{place}{suffix}; {labels}{splits}{unused}",)


def _labels_of(cell: str, multi_label: bool, where: str) -> tuple[str, ...]:
    names = (cell,) if not multi_label else tuple(cell.split("|")) if cell else ()
    for name in names:  # here, where the line is known
        check_label(name, where)
    if len(set(names)) != len(names):
        raise InputError(where, "a label must occur once per sample", cell)
    return names
