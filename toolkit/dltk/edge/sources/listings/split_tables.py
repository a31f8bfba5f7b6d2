"""A folder per split with a table of labels in each, as Roboflow writes them: train/_classes.csv beside its images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.sources.kinds import FileKind
from dltk.edge.sources.labels import check_labels, split_names
from dltk.edge.sources.listings.found import Layout, Listing, shown_path, subfolders
from dltk.edge.sources.listings.tables import list_table, read_listed

__all__ = ["list_split_tables", "split_tables"]


def split_tables(root: Path) -> dict[str, Path]:
    """Split -> the one CSV in its folder, where each folder of `root` is a split without folders and with a CSV."""
    folders = subfolders(root)
    splits = split_names([folder.name for folder in folders])
    found: dict[str, Path] = {}
    for folder in folders:
        split, tables = splits[folder.name], sorted(folder.glob("*.csv"))
        if split in (None, "unlabelled") or split in found or len(tables) != 1 or subfolders(folder):
            return {}
        found[str(split)] = tables[0]
    return found if "train" in found else {}


def list_split_tables(
    root: Path, tables: dict[str, Path], kind: FileKind, layout: Layout, *, multi_label: bool, least_classes: int
) -> Listing:
    """The files that the tables of all splits name.

    Raises:
        InputError: as `list_table` does, or if a table has splits of its own.
    """
    found: list[tuple[str, Path, tuple[str, ...], str]] = []
    notes: list[str] = []
    for split, path in tables.items():
        table, said = read_listed(path, layout)
        part = list_table(table, kind, layout, group=None, multi_label=multi_label, least_classes=min(1, least_classes))
        notes += said
        if any(each is not None for each in part.splits):
            raise InputError(path, "must not have a column of splits, since its folder is one")
        names = (shown_path(place, root) if place.is_relative_to(root) else str(place) for place in part.paths)
        found += [
            (name, place, classes, split) for name, place, classes in zip(names, part.paths, part.classes, strict=True)
        ]
        notes += [f"{path.parent.name}/: {note}" for note in part.notes]
    found.sort(key=lambda entry: entry[0])
    names_, paths, classes_, splits = zip(*found, strict=True)
    labels = check_labels((name for names in classes_ for name in names), root, least=least_classes)
    empty = Listing(names_, paths, classes_, labels, splits)
    return replace(empty, notes=tuple(notes))
