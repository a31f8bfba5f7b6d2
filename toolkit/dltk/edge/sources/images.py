"""Lists labelled image files, from a folder a class or from a CSV; decodes none of them, writes nothing."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.sources.labels import check_labels, split_name
from dltk.edge.sources.table import Table, read_table
from dltk.edge.sources.unreadable import NOT_A_PICTURE

__all__ = ["Listing", "list_images"]

_NO_SAMPLES = ("thumbs.db", "desktop.ini")  # what file managers leave behind; hidden files are passed over too
# What pictures are called, of the formats that are read and of others: these are meant as samples, too.
_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".gif",
    ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpf", ".jxl", ".ico", ".svg", ".psd", ".xcf", ".tga",
    ".pcx", ".dds", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm",
    ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw", ".dcm",
)  # fmt: skip
# How the formats that are read begin, for files whose name has no suffix.
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM")


@dataclass(frozen=True)
class Listing:
    """Image files with their labels, sorted by name.

    Attributes:
        names: how messages call each file: its path inside the folder, or as the CSV has it.
        paths: where each file lies.
        classes: the labels of each file as NFC text; one, unless several a sample were asked for.
        labels: all labels, sorted.
        splits: "train", "validation", "test", or None where the source does not say, a file.
        groups: the group of each file; None where no group column was asked for.
        skipped: (name, reason) of files that lie where no sample can lie, or are `NOT_A_PICTURE`.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    splits: tuple[str | None, ...]
    groups: tuple[str, ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()


def list_images(
    source: str | Path, *, group: str | None = None, multi_label: bool = False, least_classes: int = 2
) -> Listing:
    """The images of `source`: a folder with one subfolder a class (also inside train/ val/ test/), or a CSV.

    In a folder, a file whose suffix is no picture's is passed over and named; so is one without a suffix that does not
    begin like a picture. With fewer than two `least_classes`, class folders may be empty: a finished model is scored.

    The CSV has columns `path` and `label`, may have `split`, and a column called `group` if that is given. Its relative
    paths start at the CSV's folder and stay inside it; a file elsewhere is named by its absolute path. With
    `multi_label` a cell holds labels separated by `|`, or nothing.

    Raises:
        InputError: if `source` has another layout, or labels that cannot be; see `check_labels`.
    """
    path = Path(source)
    if path.is_dir():
        for wish, name in ((group, "data.group"), (multi_label, "data.multi_label")):
            if wish:
                raise InputError(name, "needs a CSV", f"the folder {path}", "Give a CSV with columns path,label.")
        try:
            return _list_folder(path, least_classes)
        except OSError as fault:
            raise InputError(fault.filename or path, "must be a readable folder", fault.strerror) from fault
    if not path.exists():
        raise InputError(path, "must exist", hint="Check the path.")
    return _list_csv(read_table(path, required=("path", "label")), group, multi_label, least_classes)


def _list_folder(root: Path, least_classes: int) -> Listing:
    found: list[tuple[str, Path, str, str | None]] = []  # name, path, class, split
    ignored: list[Path] = []
    for split, folder in _split_folders(root):
        for class_folder in _subfolders(folder):
            files = sorted(_files(class_folder))
            pictures = [path for path in files if _may_be_picture(path)]
            if not pictures and least_classes > 1:
                received = "no picture among its files" if files else "an empty folder"
                raise InputError(class_folder, "a class needs at least one image", received)
            ignored += sorted(set(files).difference(pictures))
            found += [(_shown(path, root), path, class_folder.name, split) for path in pictures]
    found.sort(key=lambda entry: entry[0])
    labels = check_labels((entry[2] for entry in found), root, least=least_classes)
    skipped = [(_shown(path, root), "outside every class folder") for path in _loose(root)]
    return Listing(
        tuple(entry[0] for entry in found),
        tuple(entry[1] for entry in found),
        tuple((_nfc(entry[2]),) for entry in found),
        labels,
        tuple(entry[3] for entry in found),
        skipped=(*skipped, *((_shown(path, root), NOT_A_PICTURE) for path in ignored)),
    )


def _split_folders(root: Path) -> list[tuple[str | None, Path]]:
    """The folders that hold class folders: `root` itself, or its train/ val/ test/."""
    folders = _subfolders(root)
    splits = {folder: split_name(folder.name) for folder in folders}
    nested = [folder for folder, split in splits.items() if split and _subfolders(folder)]
    if not folders or (not nested and all(splits.values())):
        raise InputError(root, "must hold one subfolder a class, or train/ and test/ with such", _shape(root))
    if not nested or not any(splits[folder] == "train" for folder in nested):
        return [(None, root)]
    others = [folder.name for folder in folders if folder not in nested]
    if others:
        raise InputError(root, "must not mix split folders with class folders", ", ".join(others[:5]))
    if len(set(splits.values())) != len(folders):
        raise InputError(root, "must hold each of train/ val/ test/ once", ", ".join(folder.name for folder in folders))
    return [(splits[folder], folder) for folder in folders]


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`; folders behind links inside it are not followed."""

    def stop(fault: OSError) -> None:
        raise fault  # os.walk would leave the folder out in silence

    for base, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in names:
            if not name.startswith(".") and name.casefold() not in _NO_SAMPLES:
                yield Path(base, name)


def _may_be_picture(path: Path) -> bool:
    """By its suffix; without one, by how it begins: downloaded pictures often have none, and neither has a LICENSE."""
    suffix = path.suffix.lower()
    if suffix or not path.is_file():
        return suffix in _SUFFIXES
    try:
        with path.open("rb") as stream:
            return stream.read(8).startswith(_BEGINNINGS)
    except PermissionError:
        return True  # for the decoder to say so


def _loose(root: Path) -> list[Path]:
    folders = {root, *(folder for _, folder in _split_folders(root))}
    return sorted(
        entry
        for folder in folders
        for entry in folder.iterdir()
        if entry.suffix.lower() in _SUFFIXES and entry.is_file()
    )


def _shape(root: Path) -> str:
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    return ", ".join(entries[:5]) + (" ..." if len(entries) > 5 else "") if entries else "an empty folder"


def _list_csv(table: Table, group: str | None, multi_label: bool, least_classes: int) -> Listing:
    base = table.path.absolute().parent
    names = table.column("path")
    classes = [_classes(cell, multi_label, table.where(row)) for row, cell in enumerate(table.column("label"))]
    order = sorted(range(len(names)), key=lambda row: (names[row], row))
    paths = [_inside(base, name, table.where(row)) for row, name in enumerate(names)]
    splits: list[str | None] = [None] * len(names)
    if "split" in table.header:
        splits = [_split(cell, table.where(row)) for row, cell in enumerate(table.column("split"))]
    groups = table.column(group) if group else None
    return Listing(
        tuple(names[row] for row in order),
        tuple(paths[row] for row in order),
        tuple(tuple(_nfc(name) for name in classes[row]) for row in order),
        check_labels((name for row in classes for name in row), table.path, least=least_classes),
        tuple(splits[row] for row in order),
        None if groups is None else tuple(groups[row] for row in order),
    )


def _classes(cell: str, multi_label: bool, where: str) -> tuple[str, ...]:
    if not multi_label:
        return (cell,)
    names = tuple(cell.split("|")) if cell else ()
    if len(set(names)) != len(names):
        raise InputError(where, "a label must stand once a sample", cell)
    return names


def _inside(base: Path, name: str, where: str) -> Path:
    if not name.strip():
        raise InputError(where, "path must not be empty")
    path = Path(name)
    if path.is_absolute():
        return path
    if ".." in path.parts and not Path(os.path.normpath(base / path)).is_relative_to(base):
        raise InputError(where, "a relative path must stay in the CSV's folder", name, "Write the absolute path.")
    return base / path


def _split(cell: str, where: str) -> str:
    split = split_name(cell)
    if split is None:
        raise InputError(where, "split must be train, validation or test", cell)
    return split


def _shown(path: Path, root: Path) -> str:
    """The path inside `root`; bytes that are not UTF-8 escaped, so that it can stand in JSON."""
    return os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
