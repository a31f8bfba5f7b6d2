"""Labelled texts: a table of texts and labels, a folder of such tables, or one of classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from dltk.base.errors import InputError
from dltk.base.files import open_regular, resolved
from dltk.edge.sources.labels import check_label, check_labels, split_name
from dltk.edge.sources.tables import PLAIN, Dialect, Note, Table, ignore_note, is_table_file, read_table
from dltk.edge.sources.texts.columns import LABEL, TEXT, find_text_columns
from dltk.edge.sources.texts.folders import holds_class_folders, list_text_files, read_text_files
from dltk.edge.sources.texts.read import check_text

__all__ = ["TextLayout", "Texts", "list_texts"]

_SHOWN = 6
_FIRST_LINE = 4096  # bytes

_Row = tuple[str, str, Optional[str], str]  # text, label, split, place


@dataclass(frozen=True)
class TextLayout:
    """Which of several readings is meant.

    Attributes:
        text, label: names of the two columns of a table; others are passed over.
        labels: those to read, in the order of the model's outputs; none: all, sorted.
        drops: whether a sample without a text or a label is left out; else it is an error.
        finds: whether columns are looked for where the usual names are not there, and odd folders are asked about; a
            finished model knows its columns.
        dialect: how tables are written.
    """

    text: str = TEXT
    label: str = LABEL
    labels: tuple[str, ...] = ()
    drops: bool = False
    finds: bool = False
    dialect: Dialect = PLAIN


_AS_NAMED = TextLayout()


@dataclass(frozen=True)
class Texts:
    """Texts with their labels, in the order of the files.

    Attributes:
        texts: none of them empty.
        classes: the label of each, in Unicode NFC.
        labels: all labels, sorted, or in the order that was asked for.
        split_ids: "train", "validation", "test", or None if the source has no splits, per text.
        places: "FILE, line N" of each.
        columns: names of the columns of texts and labels.
        dialect: how the first file is written.
    """

    texts: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    split_ids: tuple[str | None, ...]
    places: tuple[str, ...]
    columns: tuple[str, str] = (TEXT, LABEL)
    dialect: Dialect = PLAIN


def list_texts(
    source: str | Path, layout: TextLayout = _AS_NAMED, *, least_classes: int = 2, note: Note = ignore_note
) -> Texts:
    """The texts of `source`: a table; a folder with train.csv and, if there are, validation.csv and test.csv; or a
    folder with one subfolder per class of .txt files, also inside train/ and test/.

    Args:
        least_classes: 1 where a finished model is scored: one class alone may be meant.
        note: called with one line on what was found and is not a matter of course.

    Raises:
        InputError: if `source` is neither, or naming file and line of what cannot be used; or the readings and their
            settings where there are several.
    """
    path, columns, dialect = Path(source), (layout.text, layout.label), layout.dialect
    if path.is_dir() and not (files := _split_files(path)):
        rows, dialect = _rows_of_files(path, layout, least_classes, note)
    else:
        files = files if path.is_dir() else [(None, _table_file(path, layout))]
        tables = list(_tables(files, layout, note))
        rows, columns, dialect = [], tables[0][2], tables[0][1].dialect
        for split, table, (text, label) in tables:
            rows += _rows_of_table(table, split, text, label, layout)
    rows = _kept(rows, layout, path, note)
    labels = check_labels((label for _, label, _, _ in rows), f"data {source}", least=least_classes)
    texts, classes, split_ids, places = zip(*rows, strict=True)
    return Texts(texts, classes, layout.labels or labels, split_ids, places, columns, dialect)


def _table_file(path: Path, layout: TextLayout) -> Path:
    if path.exists() and (is_table_file(path) or path.suffix.lower() == ".txt"):
        return path
    rule = "must be a .csv, or a folder with train.csv or one subfolder per class" if path.exists() else "must exist"
    hint = f"A CSV needs the columns {layout.text} and {layout.label}."
    raise InputError(f"data {path}", rule, hint=hint)


def _tables(
    files: Sequence[tuple[str | None, Path]], layout: TextLayout, note: Note
) -> Iterator[tuple[str | None, Table, tuple[str, str]]]:
    """(split, table, its columns of texts and labels); a test table without labels is left out."""
    columns: tuple[str, str] | None = None
    for split, file in files:
        wanted = columns or (layout.text, layout.label)
        required = wanted if not layout.finds or columns or _names(file, wanted) else ()
        required = () if columns and split == "test" else required
        table = read_table(file, dialect=layout.dialect, required=required, breaks=True, note=note)
        if layout.finds and columns is None:
            columns = find_text_columns(table, *wanted)
            if columns != wanted:
                note(f"reading {file.name}: texts in column {columns[0]!r}, {_described(table, columns[1])}")
        elif columns is not None and split == "test" and columns[1] not in table.header:
            note(f"left out, no column {columns[1]!r}: {file.name}")
            continue
        yield split, table, columns or wanted


def _names(file: Path, wanted: tuple[str, str]) -> bool:
    """Whether the first line of `file` holds both names, whatever separates its cells."""
    try:
        with open_regular(resolved(file)) as stream:
            first = stream.read(_FIRST_LINE)
    except OSError:
        return False
    line = first.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].decode("latin-1")
    cells = re.split(r"[,;\t|]", line)
    return set(wanted) <= {cell.strip().strip('"') for cell in cells}


def _described(table: Table, label: str) -> str:
    counts = Counter(table.column(label)).most_common()
    shown = ", ".join(f"{name} ({count:,})" for name, count in counts[:_SHOWN])
    return f"labels in {label!r}: {shown}" + (f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else "")


def _rows_of_table(
    table: Table, split: str | None, text: str, label: str, layout: TextLayout
) -> Iterator[_Row]:  # fmt: skip
    for row, (cell, name) in enumerate(zip(table.column(text), table.column(label), strict=True)):
        where = table.where(row)
        if layout.drops and not (cell.strip() and name.strip()):
            yield "", "", split, where
            continue
        try:
            label_name = check_label(name, f"{where}, column {label!r}")
        except InputError as fault:
            if name.strip():
                raise
            hint = "data.unlabelled=drop leaves rows without a label or a text out."
            raise InputError(fault.where, fault.rule, fault.received, hint if layout.finds else "") from fault
        yield check_text(cell, f"{where}, column {text!r}"), label_name, split, where


def _rows_of_files(
    folder: Path, layout: TextLayout, least_classes: int, note: Note
) -> tuple[list[_Row], Dialect]:  # fmt: skip
    """The texts in the files of `folder`, and the encoding of those that are no UTF-8 as a dialect."""
    listing = list_text_files(folder, layout.labels, least_classes=least_classes, ask=layout.finds)
    for sentence in listing.notes:
        note(sentence)
    if listing.skipped:
        name, reason = listing.skipped[0]
        note(f"{len(listing.skipped)} files passed over, such as {name}: {reason}")
    read = read_text_files(listing, layout.dialect.encoding)
    encodings = Counter(encoding for _, encoding in read)
    if set(encodings) != {"utf-8"}:
        note("encodings: " + ", ".join(f"{name} ({count:,} files)" for name, count in encodings.most_common()))
    rows = list[_Row]()
    for (text, _), (label,), split, path in zip(read, listing.classes, listing.splits, listing.paths, strict=True):
        is_empty = layout.drops and not text.strip()
        rows.append(("", "", split, str(path)) if is_empty else (check_text(text, path), label, split, str(path)))
    other = next((encoding for encoding in encodings if encoding != "utf-8"), "utf-8")
    return rows, replace(PLAIN, encoding=other)


def _kept(rows: Sequence[_Row], layout: TextLayout, path: Path, note: Note) -> list[_Row]:
    """Without the rows that have no text or label, and those of labels that were not asked for."""
    there = [row for row in rows if row[0]]
    if len(there) < len(rows):
        note(f"{len(rows) - len(there):,} of {len(rows):,} rows without a text or a label are left out")
    if not layout.labels:
        return there
    unknown = [label for label in layout.labels if all(row[1] != label for row in there)]
    if unknown:
        found = ", ".join(sorted({row[1] for row in there})[: 2 * _SHOWN])
        raise InputError("setting data.labels", f"must be labels of {path}: {found}", unknown[0])
    kept = [row for row in there if row[1] in layout.labels]
    if len(kept) < len(there):
        note(f"{len(there) - len(kept):,} of {len(there):,} texts with other labels are left out")
    return kept


def _split_files(folder: Path) -> Sequence[tuple[str | None, Path]]:
    """(split, file) of the tables in `folder` that are named after a split, train first; or its only table.

    None where the texts are files in folders.
    """
    found: dict[str, Path] = {}
    tables = [path for path in sorted(folder.iterdir()) if is_table_file(path) and path.is_file()]
    for path in tables:
        split = split_name(path.name.partition(".")[0])
        if split is not None and split in found:
            raise InputError(f"data {folder}", f"must have one file of {split}", f"{found[split].name} and {path.name}")
        if split is not None:
            found[split] = path
    if "train" in found:
        return [(split, found[split]) for split in ("train", "validation", "test") if split in found]
    if holds_class_folders(folder):
        return []
    if len(tables) == 1 and not found:
        return [(None, tables[0])]
    hint = "Name the files train.csv, validation.csv and test.csv."
    raise InputError(f"data {folder}", "must hold a train.csv", ", ".join(sorted(found)) or "none", hint)
