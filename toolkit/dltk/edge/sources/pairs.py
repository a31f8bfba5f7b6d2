"""Images with texts out of a CSV: `image,text`, and `label` where there are labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.edge.sources.listings.cells import resolve_listed_path, split_of
from dltk.edge.sources.tables import PLAIN, Dialect, Note, Table, ignore_note, read_table
from dltk.edge.sources.texts import check_text

__all__ = ["Pairs", "list_pairs", "read_pairs"]


@dataclass(frozen=True)
class Pairs:
    """Labelled images with texts, in the order of the file.

    Attributes:
        places: "FILE, line N" of each.
        paths: where each image lies.
        texts: none of them empty.
        classes: the label of each, in Unicode NFC.
        labels: all labels, sorted.
        splits: "train", "validation", "test", or None if the file has no splits.
        groups: the group of each; None where no column was asked for.
        dialect: how the file is written.
    """

    places: tuple[str, ...]
    paths: tuple[Path, ...]
    texts: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str | None, ...]
    groups: tuple[str, ...] | None = None
    dialect: Dialect = PLAIN


@installed_only
def list_pairs(
    source: str | Path,
    *,
    group: str | None = None,
    least_classes: int = 2,
    dialect: Dialect = PLAIN,
    note: Note = ignore_note,
) -> Pairs:
    """The rows of the CSV at `source`, with columns `image`, `text` and `label`, maybe `split` and `group`.

    Relative paths of images start at the CSV's folder and stay inside it.

    Raises:
        InputError: naming file and line of what cannot be used.
    """
    from dltk.edge.sources.labels import check_label, check_labels

    table = _table(source, ("image", "text", "label"), dialect, note)
    found = _pairs(table)
    classes = tuple(check_label(label, table.where(row)) for row, label in enumerate(table.column("label")))
    splits: tuple[str | None, ...] = (None,) * len(found)
    if "split" in table.header:
        splits = tuple(split_of(cell, table.where(row)) for row, cell in enumerate(table.column("split")))
    return Pairs(
        tuple(table.where(row) for row in range(len(found))),
        tuple(path for path, _ in found),
        tuple(text for _, text in found),
        classes,
        check_labels(table.column("label"), table.path, least=least_classes),
        splits,
        tuple(table.column(group)) if group else None,
        table.dialect,
    )


def read_pairs(source: str | Path, dialect: Dialect = PLAIN) -> list[tuple[Path, str]]:
    """(image, text) of every row of the CSV at `source`, with or without labels; for Raises see `list_pairs`."""
    return _pairs(_table(source, ("image", "text"), dialect))


def _table(source: str | Path, required: tuple[str, ...], dialect: Dialect, note: Note = ignore_note) -> Table:
    path = Path(source)
    if path.is_dir():
        raise InputError(f"data {source}", "must be a CSV", "a folder", f"Give one with {', '.join(required)}.")
    return read_table(path, dialect=dialect, required=required, breaks=True, note=note)


def _pairs(table: Table) -> list[tuple[Path, str]]:
    base = table.path.absolute().parent
    return [
        (resolve_listed_path(base, image, table.where(row)), check_text(text, f"{table.where(row)}, column 'text'"))
        for row, (image, text) in enumerate(zip(table.column("image"), table.column("text"), strict=True))
    ]
