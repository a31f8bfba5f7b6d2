"""A folder with one subfolder per class, whatever the splits are called, or with a table of labels in each split."""

from __future__ import annotations

from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.sources.kinds import FileKind
from dltk.edge.sources.labels import check_labels
from dltk.edge.sources.listings.found import Layout, Listing, files_below, nfc, shown_path
from dltk.edge.sources.listings.splits import find_places
from dltk.edge.sources.unreadable import counted_by_kind

__all__ = ["list_folder"]


def list_folder(root: Path, kind: FileKind, layout: Layout, *, least_classes: int) -> Listing:
    """The files of a folder with one subfolder per class, also inside folders of splits.

    Raises:
        InputError: on another layout, a class without a file of the kind, or labels that cannot be.
        OSError: if a folder cannot be read.
    """

    def has_files(folder: Path) -> bool:
        return any(kind.may_be(entry) for entry in folder.iterdir() if entry.is_file())

    places = find_places(root, layout, has_files, least_classes=least_classes)
    found: list[tuple[str, Path, str, str | None]] = []  # name, path, class, split
    ignored: list[Path] = []
    for split, folder in places.classes:
        files = sorted(files_below(folder))
        samples = [path for path in files if kind.may_be(path)]
        if not samples and least_classes > 1:
            kinds = counted_by_kind([(path.name, kind.why_ignored(path)) for path in files])
            received = f"no {kind.noun} among its files ({kinds})" if files else "an empty folder"
            raise InputError(folder, f"a class needs at least one {kind.noun}", received)
        ignored += sorted(set(files).difference(samples))
        found += [(shown_path(path, root), path, folder.name, split) for path in samples]
    found.sort(key=lambda entry: entry[0])
    labels = check_labels((entry[2] for entry in found), root, least=least_classes)
    loose = [(shown_path(path, root), "outside every class folder") for path in _loose(places.around, kind)]
    left = [
        (shown_path(path, root), "without a class folder")
        for folder in places.unlabelled
        for path in sorted(files_below(folder))
    ]
    return Listing(
        tuple(entry[0] for entry in found),
        tuple(entry[1] for entry in found),
        tuple((nfc(entry[2]),) for entry in found),
        labels,
        tuple(entry[3] for entry in found),
        skipped=(*loose, *left, *((shown_path(path, root), kind.why_ignored(path)) for path in ignored)),
        notes=places.notes,
    )


def _loose(folders: tuple[Path, ...], kind: FileKind) -> list[Path]:
    return sorted(
        entry
        for folder in set(folders)
        for entry in folder.iterdir()
        if entry.suffix.lower() in kind.suffixes and entry.is_file()
    )
