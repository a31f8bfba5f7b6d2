"""Texts from files: a CSV of text and label, a folder of such files per split, a plain file with one text per line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import read_capped, resolved
from dltk.base.lazy import installed_only
from dltk.edge.sources.tables import PLAIN, Dialect, Note, decoded, ignore_note, is_table_file, read_table

__all__ = ["Texts", "check_text", "list_texts", "read_column", "read_lines"]

_MAX_LINES = 1_000_000
_MAX_BYTES = 1_000_000_000  # its lines take several times as much memory


@dataclass(frozen=True)
class Texts:
    """Texts with their labels, in the order of the files.

    Attributes:
        texts: none of them empty.
        classes: the label of each, in Unicode NFC.
        labels: all labels, sorted.
        split_ids: "train", "validation", "test", or None if the source has no splits, per text.
        places: "FILE, line N" of each.
        dialect: how the first file is written.
    """

    texts: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    split_ids: tuple[str | None, ...]
    places: tuple[str, ...]
    dialect: Dialect = PLAIN


@installed_only
def list_texts(
    source: str | Path, *, text: str = "text", label: str = "label", least_classes: int = 2, dialect: Dialect = PLAIN,
    note: Note = ignore_note
) -> Texts:  # fmt: skip
    """The texts of `source`: a CSV, or a folder with train.csv and, if there are, validation.csv and test.csv.

    Args:
        text, label: names of the two columns; others are passed over.
        least_classes: 1 where a finished model is scored: one class alone may be meant.

    Raises:
        InputError: if `source` is neither, or naming file and line of what cannot be used.
    """
    from dltk.edge.sources.labels import check_label, check_labels

    path = Path(source)
    if path.is_dir():
        files = _split_files(path)
    elif is_table_file(path) or path.suffix.lower() == ".txt":
        files = [(None, path)]
    else:
        rule = "must be a .csv, or a folder with train.csv" if path.exists() else "must exist"
        raise InputError(f"data {source}", rule, hint=f"A CSV needs the columns {text} and {label}.")
    texts, classes, split_ids, places, dialects = [], [], [], [], []
    for split, file in files:
        table = read_table(file, dialect=dialect, required=(text, label), breaks=True, note=note)
        dialects.append(table.dialect)
        found = zip(table.column(text), table.column(label), strict=True)
        for row, (cell, name) in enumerate(found):
            texts.append(check_text(cell, f"{table.where(row)}, column {text!r}"))
            classes.append(check_label(name, f"{table.where(row)}, column {label!r}"))
            split_ids.append(split)
            places.append(table.where(row))
    labels = check_labels(classes, f"data {source}", least=least_classes)
    return Texts(tuple(texts), tuple(classes), labels, tuple(split_ids), tuple(places), dialects[0])


def read_column(path: str | Path, column: str, dialect: Dialect = PLAIN) -> list[str]:
    """The texts in `column` of the table at `path`.

    Raises:
        InputError: naming file and line, if it cannot be read, has no such column or an empty cell in it.
    """
    table = read_table(path, dialect=dialect, required=(column,), breaks=True)
    return [check_text(cell, f"{table.where(row)}, column {column!r}") for row, cell in enumerate(table.column(column))]


def read_lines(path: str | Path, encoding: str = "utf-8") -> list[str]:
    """The lines of the text file at `path`, written in `encoding`; blank ones are passed over.

    Raises:
        InputError: naming file and line, on another encoding, a NUL, or no text at all.
    """
    data, _ = decoded(read_capped(resolved(path), _MAX_BYTES), Path(path), encoding)
    if data.count(b"\n") + data.count(b"\r") > _MAX_LINES:
        raise InputError(path, f"may have at most {_MAX_LINES} lines", hint="Split it.")
    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        text = line.decode("utf-8").strip()
        if text:
            found.append(check_text(text, f"{path}, line {number}"))
    if not found:
        raise InputError(path, "must hold text", "none")
    return found


def check_text(text: str, where: object) -> str:
    """`text`, if a model can be given it.

    Raises:
        InputError: if it is empty, holds a NUL, or what is no Unicode text.
    """
    if not text.strip():
        raise InputError(where, "must hold a text", repr(text))
    if "\0" in text:
        raise InputError(where, "must not hold a NUL character", repr(text))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise InputError(where, "must be Unicode text", ascii(text)) from fault
    return text


@installed_only
def _split_files(folder: Path) -> Sequence[tuple[str | None, Path]]:
    """(split, file) of the files in `folder` that are named after a split, train first."""
    from dltk.edge.sources.labels import split_name

    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = split_name(path.name.partition(".")[0]) if is_table_file(path) and path.is_file() else None
        if split is not None and split in found:
            raise InputError(f"data {folder}", f"must have one file of {split}", f"{found[split].name} and {path.name}")
        if split is not None:
            found[split] = path
    if "train" not in found:
        hint = "Name the files train.csv, validation.csv and test.csv."
        raise InputError(f"data {folder}", "must hold a train.csv", ", ".join(sorted(found)) or "none", hint)
    return [(split, found[split]) for split in ("train", "validation", "test") if split in found]
