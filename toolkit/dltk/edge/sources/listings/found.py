"""What a listing is, and how the user chooses one of several readings."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.sources.tables import PLAIN, Dialect

__all__ = ["Layout", "Listing", "files_below", "nfc", "with_sound_classes", "shown_path", "subfolders"]

_NO_SAMPLES = ("thumbs.db", "desktop.ini")  # what file managers leave behind; hidden files are passed over too
_SHOWN = 5


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
        notes: sentences about what was found and is not usual.
        dialect: how the CSV is written, where there is one.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    splits: tuple[str | None, ...]
    groups: tuple[str, ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    dialect: Dialect = PLAIN

    def part(self, rows: Sequence[int], labels: tuple[str, ...]) -> Listing:
        """The files at `rows` alone, with `labels`."""
        return replace(
            self,
            names=tuple(self.names[row] for row in rows),
            paths=tuple(self.paths[row] for row in rows),
            classes=tuple(self.classes[row] for row in rows),
            labels=labels,
            splits=tuple(self.splits[row] for row in rows),
            groups=None if self.groups is None else tuple(self.groups[row] for row in rows),
        )


@dataclass(frozen=True)
class Layout:
    """Which of several readings is meant; the settings of the same names, with what a finished model needs by default.

    Attributes:
        class_folders: "auto"; "outer": each folder is a class, whatever its name; "inner": the folders inside are.
        merge_case: what happens to classes that differ in case only: "ask", "yes" or "no".
        rare: what happens to classes of one sample: "ask", "keep" or "drop".
        path, label: columns of a CSV; where the default is missing, the column is looked for.
        folder: where the files of a CSV lie, inside its folder; empty: beside it, or found.
        suffix: what is added to the names in a CSV; empty: nothing, or found.
        known: the labels of a finished model, which distinguish two readings.
        dialect: how the CSV is written.
    """

    class_folders: str = "auto"
    merge_case: str = "no"
    rare: str = "keep"
    path: str = "path"
    label: str = "label"
    folder: str = ""
    suffix: str = ""
    known: tuple[str, ...] = ()
    dialect: Dialect = PLAIN

    @classmethod
    def of(cls, settings: Any) -> Layout:
        """As `settings`, the group `data` of a recipe; those that it lacks keep their default."""
        names = ("class_folders", "merge_case", "rare", "path", "label", "folder", "suffix")
        given = {name: getattr(settings, name) for name in names if hasattr(settings, name)}
        return cls(**given, dialect=Dialect.of(settings))


def with_sound_classes(listing: Listing, layout: Layout, where: object, *, least_classes: int) -> Listing:
    """`listing` with classes that differ in case only, and those of one sample, as `layout` wants them.

    Raises:
        InputError: if there are such, and `layout` asks.
    """
    return _without_rare(_one_case(listing, layout, where), layout, where, least_classes)


def _one_case(listing: Listing, layout: Layout, where: object) -> Listing:
    if layout.merge_case == "no":
        return listing
    counts = Counter(name for names in listing.classes for name in names)
    groups: dict[str, list[str]] = {}
    for label in listing.labels:
        groups.setdefault(label.casefold(), []).append(label)
    alike = [group for group in groups.values() if len(group) > 1]
    if not alike:
        return listing
    shown = "; ".join(" and ".join(f"{label!r} ({counts[label]})" for label in group) for group in alike[:_SHOWN])
    if layout.merge_case == "ask":
        hint = "data.merge_case=yes makes one class of them, data.merge_case=no keeps them apart."
        raise InputError(where, "classes must differ in more than upper and lower case", shown, hint)
    common = {label: max(group, key=lambda name: counts[name]) for group in groups.values() for label in group}
    classes = tuple(tuple(dict.fromkeys(common[name] for name in names)) for names in listing.classes)
    notes = (*listing.notes, f"one class each, whatever the case: {shown}")
    return replace(listing, classes=classes, labels=tuple(sorted(set(common.values()))), notes=notes)


def _without_rare(listing: Listing, layout: Layout, where: object, least_classes: int) -> Listing:
    if layout.rare == "keep" or least_classes < 2 or any(len(names) != 1 for names in listing.classes):
        return listing
    counts = Counter(name for names in listing.classes for name in names)
    rare = [label for label in listing.labels if counts[label] == 1]
    if not rare or len(rare) == len(listing.labels):
        return listing
    shown = ", ".join(map(repr, rare[:_SHOWN])) + (f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else "")
    if layout.rare == "ask":
        hint = "Is it a spelling mistake? data.rare=drop leaves such classes out, data.rare=keep trains on them."
        raise InputError(where, "a class should have more than one sample", f"one of {shown}", hint)
    if len(listing.labels) - len(rare) < least_classes:
        raise InputError(where, "needs at least two classes of more than one sample", f"one of {shown}")
    rows = [row for row, (name,) in enumerate(listing.classes) if counts[name] > 1]
    kept = listing.part(rows, tuple(label for label in listing.labels if label not in rare))
    return replace(kept, notes=(*listing.notes, f"left out, classes of one sample: {shown}"))


def subfolders(folder: Path) -> list[Path]:
    """The folders in `folder`, without hidden ones and those that tools leave behind."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below `folder`; folders behind links inside it are not followed.

    Raises:
        OSError: if a folder cannot be read.
    """

    def stop(fault: OSError) -> None:
        raise fault  # os.walk would leave the folder out in silence

    for base, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in names:
            if not name.startswith(".") and name.casefold() not in _NO_SAMPLES:
                yield Path(base, name)


def shown_path(path: Path, root: Path) -> str:
    """The path inside `root`; bytes that are not UTF-8 escaped, so that it can stand in JSON."""
    return os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")


def nfc(text: str) -> str:
    """`text` in Unicode NFC."""
    return unicodedata.normalize("NFC", text)
