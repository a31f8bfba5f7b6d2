"""Images with texts out of a table: `image,text`, and `label` where there are labels; or other columns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Signature
from dltk.edge.sources.listings.cells import resolve_listed_path, split_of
from dltk.edge.sources.tables import PLAIN, Dialect, Note, Table, ignore_note, read_table
from dltk.edge.sources.texts.read import check_text

__all__ = ["PairColumns", "Pairs", "list_pairs", "read_pairs"]


@dataclass(frozen=True)
class PairColumns:
    """Names of columns, and how cells become files.

    Attributes:
        path, text, label: columns of the images, the texts and the labels.
        folder: where relative paths start, seen from the table's own folder.
        suffix: what the paths lack.
    """

    path: str = "image"
    text: str = "text"
    label: str = "label"
    folder: str = ""
    suffix: str = ""

    @classmethod
    def of(cls, given: Any) -> PairColumns:
        """Those that a recipe's `settings.data` name."""
        return cls(given.path, given.text, given.label, given.folder, given.suffix)

    @classmethod
    def of_signature(cls, signature: Signature) -> PairColumns:
        """Those of the table that a model was trained on."""
        found = next((op for op in signature.preprocess if op["op"] == "pairs"), {})
        return cls(**{key: value for key, value in found.items() if key != "op"})

    @property
    def ops(self) -> tuple[dict[str, Any], ...]:
        """As steps of a signature: none, where all is as usual."""
        return () if self == PairColumns() else ({"op": "pairs", **vars(self)},)


_USUAL = PairColumns()


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
    columns: PairColumns = _USUAL,
) -> Pairs:
    """The rows of the table at `source`, with the columns that `columns` names, maybe `split` and `group`.

    Relative paths of images start at the table's folder, or the one that `columns` names in it, and stay inside it.

    Raises:
        InputError: naming file and line of what cannot be used.
    """
    from dltk.edge.sources.labels import check_label, check_labels

    table = _table(source, (columns.path, columns.text, columns.label), dialect, note)
    found, labels = _pairs(table, columns), table.column(columns.label)
    classes = tuple(check_label(label, table.where(row)) for row, label in enumerate(labels))
    splits: tuple[str | None, ...] = (None,) * len(found)
    if "split" in table.header:
        splits = tuple(split_of(cell, table.where(row)) for row, cell in enumerate(table.column("split")))
    return Pairs(
        tuple(table.where(row) for row in range(len(found))),
        tuple(path for path, _ in found),
        tuple(text for _, text in found),
        classes,
        check_labels(labels, table.path, least=least_classes),
        splits,
        tuple(table.column(group)) if group else None,
        table.dialect,
    )


def read_pairs(source: str | Path, dialect: Dialect = PLAIN, columns: PairColumns = _USUAL) -> list[tuple[Path, str]]:
    """(image, text) of every row of the table at `source`, with or without labels; for Raises see `list_pairs`."""
    return _pairs(_table(source, (columns.path, columns.text), dialect), columns)


def _table(source: str | Path, required: tuple[str, ...], dialect: Dialect, note: Note = ignore_note) -> Table:
    path = Path(source)
    if path.is_dir():
        raise InputError(f"data {source}", "must be a CSV", "a folder", f"Give one with {', '.join(required)}.")
    return read_table(path, dialect=dialect, required=required, breaks=True, note=note)


def _pairs(table: Table, columns: PairColumns) -> list[tuple[Path, str]]:
    found, cells = [], zip(table.column(columns.path), table.column(columns.text), strict=True)
    for row, (image, text) in enumerate(cells):
        where = table.where(row)
        path = _image_path(table.path.absolute().parent, image, columns, where)
        found.append((path, check_text(text, f"{where}, column {columns.text!r}")))
    return found


def _image_path(base: Path, cell: str, columns: PairColumns, where: str) -> Path:
    if columns.folder:
        if Path(columns.folder).is_absolute():
            raise InputError("setting data.folder", "must lie in the table's folder", columns.folder)
        base = resolve_listed_path(base, columns.folder, "setting data.folder")
    name = f"{cell.strip()}{columns.suffix}" if columns.suffix and cell.strip() else cell
    return resolve_listed_path(base, name, where)
