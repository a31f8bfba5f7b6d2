"""Lists labelled files, from one folder per class or from a CSV; decodes none of them, writes nothing."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.input.images.heif import require_decoder
from dltk.edge.input.soundfiles import require_decoder as require_sound_decoder
from dltk.edge.sources.groups import group_reader
from dltk.edge.sources.kinds import IMAGES, SOUNDS, FileKind
from dltk.edge.sources.labels import check_label, check_labels, split_name
from dltk.edge.sources.table import Table, read_table
from dltk.edge.sources.unreadable import counted_by_kind

__all__ = ["Listing", "resolve_listed_path", "list_files", "split_of"]

_NO_SAMPLES = ("thumbs.db", "desktop.ini")  # what file managers leave behind; hidden files are passed over too


@dataclass(frozen=True)
class Listing:
    """Files with their labels, sorted by name.

    Attributes:
        names: how messages call each file: its path inside the folder, or as the CSV has it.
        paths: where each file lies.
        classes: the labels of each file as NFC text; one, unless several a sample were asked for.
        labels: all labels, sorted.
        splits: "train", "validation", "test", or None if the source has no splits, per file.
        groups: the group of each file; None where none were asked for.
        skipped: (name, reason) of files that lie where no sample can lie, or are of another kind.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    splits: tuple[str | None, ...]
    groups: tuple[str, ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()


def list_files(
    source: str | Path, kind: FileKind = IMAGES, *, group: str | None = None, group_pattern: str | None = None,
    multi_label: bool = False, least_classes: int = 2
) -> Listing:  # fmt: skip
    """The files of `source`: a folder with one subfolder per class (also inside train/ val/ test/), or a CSV.

    In a folder, a file whose suffix is not one of `kind` is passed over and named; so is one without a suffix that does
    not begin like one. With fewer than two `least_classes`, class folders may be empty: a finished model is scored.

    The CSV has columns `path` and `label`, may have `split`, and a column called `group` if that is given. Its relative
    paths start at the CSV's folder and stay inside it; a file elsewhere is named by its absolute path. With
    `multi_label` a cell holds labels separated by `|`, or nothing.

    `group_pattern` takes a file's group from its name without the suffix: `{group}` stands for the group, `*` for
    anything, as little as possible: `*_{group}_*` finds "ann" in `yes_ann_03.wav`. So does the `group` `name:1`: that
    part of the name, split at _ and - and counted from 0.

    Raises:
        InputError: if `source` has another layout, labels that cannot be (see `check_labels`), or a name that
            `group_pattern` does not fit.
        EnvironmentFault: if a HEIC image, a FLAC or an Ogg recording is among them, and its extra is missing.
    """
    path, read_group = Path(source), group_reader(group, group_pattern)
    if read_group is not None:
        group = None
    if path.is_dir():
        for wish, name in ((group, "data.group"), (multi_label, "data.multi_label")):
            if wish:
                hint = "Give a CSV with columns path,label."
                hint = hint if name != "data.group" else f"{hint[:-1]}, or name a part of the file names: name:0."
                raise InputError(name, "needs a CSV", f"the folder {path}", hint)
        try:
            found = _list_folder(path, kind, least_classes)
        except OSError as fault:
            raise InputError(fault.filename or path, "must be a readable folder", fault.strerror) from fault
    elif not path.exists():
        raise InputError(path, "must exist", hint="Check the path.")
    else:
        found = _list_csv(read_table(path, required=("path", "label")), group, multi_label, least_classes)
    if kind is IMAGES:
        require_decoder(found.paths)  # before thousands of other files are decoded
    if kind is SOUNDS:
        require_sound_decoder(found.paths)
    return found if read_group is None else replace(found, groups=tuple(map(read_group, found.names)))


def _list_folder(root: Path, kind: FileKind, least_classes: int) -> Listing:
    found: list[tuple[str, Path, str, str | None]] = []  # name, path, class, split
    ignored: list[Path] = []
    for split, folder in _split_folders(root):
        for class_folder in _subfolders(folder):
            files = sorted(_files(class_folder))
            samples = [path for path in files if kind.may_be(path)]
            if not samples and least_classes > 1:
                kinds = counted_by_kind([(path.name, kind.why_ignored(path)) for path in files])
                received = f"no {kind.noun} among its files ({kinds})" if files else "an empty folder"
                raise InputError(class_folder, f"a class needs at least one {kind.noun}", received)
            ignored += sorted(set(files).difference(samples))
            found += [(_shown(path, root), path, class_folder.name, split) for path in samples]
    found.sort(key=lambda entry: entry[0])
    labels = check_labels((entry[2] for entry in found), root, least=least_classes)
    skipped = [(_shown(path, root), "outside every class folder") for path in _loose(root, kind)]
    return Listing(
        tuple(entry[0] for entry in found),
        tuple(entry[1] for entry in found),
        tuple((_nfc(entry[2]),) for entry in found),
        labels,
        tuple(entry[3] for entry in found),
        skipped=(*skipped, *((_shown(path, root), kind.why_ignored(path)) for path in ignored)),
    )


def _split_folders(root: Path) -> list[tuple[str | None, Path]]:
    """The folders that hold class folders: `root` itself, or its train/ val/ test/."""
    folders = _subfolders(root)
    splits = {folder: split_name(folder.name) for folder in folders}
    nested = [folder for folder, split in splits.items() if split and _subfolders(folder)]
    if not folders or (not nested and all(splits.values())):
        raise InputError(root, "must hold one subfolder per class, or train/ and test/ with such", _shape(root))
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


def _loose(root: Path, kind: FileKind) -> list[Path]:
    folders = {root, *(folder for _, folder in _split_folders(root))}
    return sorted(
        entry
        for folder in folders
        for entry in folder.iterdir()
        if entry.suffix.lower() in kind.suffixes and entry.is_file()
    )


def _shape(root: Path) -> str:
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    return ", ".join(entries[:5]) + (" ..." if len(entries) > 5 else "") if entries else "an empty folder"


def _list_csv(table: Table, group: str | None, multi_label: bool, least_classes: int) -> Listing:
    base = table.path.absolute().parent
    names = table.column("path")
    classes = [_classes(cell, multi_label, table.where(row)) for row, cell in enumerate(table.column("label"))]
    order = sorted(range(len(names)), key=lambda row: (names[row], row))
    paths = [resolve_listed_path(base, name, table.where(row)) for row, name in enumerate(names)]
    splits: list[str | None] = [None] * len(names)
    if "split" in table.header:
        splits = [split_of(cell, table.where(row)) for row, cell in enumerate(table.column("split"))]
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
    names = (cell,) if not multi_label else tuple(cell.split("|")) if cell else ()
    for name in names:  # here, where the line is known
        check_label(name, where)
    if len(set(names)) != len(names):
        raise InputError(where, "a label must occur once per sample", cell)
    return names


def resolve_listed_path(base: Path, name: str, where: str) -> Path:
    """The file that a CSV in folder `base` calls `name`.

    Raises:
        InputError: naming `where`, if it is empty, or relative and outside `base`.
    """
    if not name.strip():
        raise InputError(where, "path must not be empty")
    path = Path(name)
    if path.is_absolute():
        return path
    if ".." in path.parts and not Path(os.path.normpath(base / path)).is_relative_to(base):
        raise InputError(where, "a relative path must stay in the CSV's folder", name, "Write the absolute path.")
    return base / path


def split_of(cell: str, where: str) -> str:
    """ "train", "validation" or "test" that a cell of the column `split` means.

    Raises:
        InputError: naming `where`, if it means none of them.
    """
    split = split_name(cell)
    if split is None:
        raise InputError(where, "split must be train, validation or test", cell)
    return split


def _shown(path: Path, root: Path) -> str:
    """The path inside `root`; bytes that are not UTF-8 escaped, so that it can stand in JSON."""
    return os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")


def _nfc(text: str) -> str:
    """`text` in Unicode NFC."""
    return unicodedata.normalize("NFC", text)
