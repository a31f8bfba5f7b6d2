"""Which folders are splits and which are classes: by their names, and by what lies in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.sources.labels import split_name, split_names
from dltk.edge.sources.listings.found import Layout, nfc, subfolders

__all__ = ["Places", "find_places", "folder_entries", "unnested"]

_DEEPEST = 4  # folders in folders that archives wrap around a data set
_SHOWN = 5
_OUTER = "If each of them is a class, give data.class_folders=outer."


@dataclass(frozen=True)
class Places:
    """The folders of a data set.

    Attributes:
        classes: (split, folder) of each class folder; a class of several splits has several.
        around: the folders that hold class folders.
        unlabelled: folders of files without a class, which are left out.
        notes: sentences about what was found and is not usual.
    """

    classes: tuple[tuple[str | None, Path], ...]
    around: tuple[Path, ...]
    unlabelled: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()


def find_places(root: Path, layout: Layout, has_files: Callable[[Path], bool], *, least_classes: int) -> Places:
    """The class folders of `root`: in it, or in folders that are called like splits; inside one more folder, too.

    Args:
        has_files: (folder) -> whether samples lie in it, not deeper.

    Raises:
        InputError: if there are none, or several readings are possible.
    """
    top = root if layout.class_folders == "outer" else _unwrapped(root, least_classes)
    folders = subfolders(top)
    if not folders:
        raise _no_classes(root)
    notes = () if top == root else (f"the data is in {top.relative_to(root)}/",)
    if layout.class_folders == "outer":
        return Places(tuple((None, folder) for folder in folders), (root,))
    by_name = split_names([folder.name for folder in folders])
    splits = {folder: by_name[folder.name] for folder in folders}
    nested = {folder: unnested(folder) for folder in folders if splits[folder] and subfolders(unnested(folder))}
    if layout.class_folders == "inner" or any(splits[folder] == "train" for folder in nested):
        found = _in_splits(top, splits, nested, has_files, layout)
    elif nested:
        found = _beside_splits(top, splits, nested, least_classes)
    else:
        found = _in_classes(top, splits, has_files, layout)
    return Places(found.classes, found.around, found.unlabelled, (*notes, *found.notes))


def unnested(folder: Path) -> Path:
    """`folder`, or the one that lies in it alone and is called like it: seg_train/seg_train/."""
    for _ in range(_DEEPEST):
        inside = subfolders(folder)
        split = split_name(folder.name)
        alike = len(inside) == 1 and (
            inside[0].name.casefold() == folder.name.casefold()
            or (split is not None and split_name(inside[0].name) == split)
        )
        if not alike:
            break
        folder = inside[0]
    return folder


def _unwrapped(root: Path, least_classes: int) -> Path:
    """`root`, or the folder in it that an archive wrapped around the data: archive/dataset/train/CLASS."""
    top = root
    for _ in range(_DEEPEST):
        folders = subfolders(top)
        if len(folders) != 1 or split_name(folders[0].name) or not subfolders(folders[0]):
            break
        top = folders[0]
    inside = subfolders(top)
    has_splits = any(split_names([folder.name for folder in inside]).values())
    return top if has_splits or (least_classes > 1 and len(inside) > 1) else root


def _in_splits(
    top: Path, splits: Mapping[Path, str | None], nested: Mapping[Path, Path],
    has_files: Callable[[Path], bool], layout: Layout,
) -> Places:  # fmt: skip
    others = [folder for folder in splits if folder not in nested]
    flat = [folder for folder in others if splits[folder] not in (None, "train") and has_files(unnested(folder))]
    mixed = [folder for folder in others if folder not in flat]
    if layout.class_folders == "inner":
        inner = {folder: nested.get(folder, folder) for folder in splits if folder not in flat}
        mixed = []
    else:
        inner = dict(nested)
    if mixed:
        names = ", ".join(folder.name for folder in mixed[:_SHOWN])
        raise InputError(top, "must not mix split folders with class folders", names, _OUTER)
    counts = Counter(split for folder in inner if (split := splits[folder]) is not None)
    if counts and max(counts.values()) > 1:
        received = ", ".join(folder.name for folder in splits)
        raise InputError(top, "must hold each of train/ val/ test/ once", received)
    classes = tuple((splits[folder], each) for folder, place in inner.items() for each in subfolders(place))
    return Places(classes, (top, *inner.values()), tuple(flat), _left_out(flat))


def _beside_splits(
    top: Path, splits: Mapping[Path, str | None], nested: Mapping[Path, Path], least_classes: int
) -> Places:
    """No train/ with class folders, but another split has some: the class folders beside it are to train on."""
    plain = [folder for folder in splits if folder not in nested]
    inside = {nfc(each.name) for place in nested.values() for each in subfolders(place)}
    if (not plain and least_classes < 2) or (plain and inside <= {nfc(folder.name) for folder in plain}):
        classes = [(None, folder) for folder in plain]
        held = [(splits[folder], each) for folder, place in nested.items() for each in subfolders(place)]
        notes = (f"class folders beside {_names(nested)} are read as training data",) if plain else ()
        return Places((*classes, *held), (top, *nested.values()), (), notes)
    shown = ", ".join(sorted(inside)[:_SHOWN])
    rule = f"must hold train/ beside {_names(nested)}, which hold folders of their own"
    raise InputError(top, rule, f"{folder_entries(top)}, with {shown} inside", _OUTER)


def _in_classes(
    top: Path, splits: Mapping[Path, str | None], has_files: Callable[[Path], bool], layout: Layout
) -> Places:
    if all(splits.values()):
        raise _no_classes(top)
    plain = [folder for folder in splits if not splits[folder]]
    held = [folder for folder in splits if splits[folder] not in (None, "train") and has_files(unnested(folder))]
    flat = held if len(plain) > 1 and not any(nfc(folder.name) in layout.known for folder in held) else []
    classes = [folder for folder in splits if folder not in flat]
    if _is_inner(top, classes, layout):
        found = tuple((None, each) for folder in classes for each in subfolders(folder))
        return Places(found, (top, *classes), tuple(flat), _left_out(flat))
    notes = tuple(f"{note}; data.class_folders=outer makes a class of each" for note in _left_out(flat))
    return Places(tuple((None, folder) for folder in classes), (top,), tuple(flat), notes)


def _is_inner(top: Path, classes: Sequence[Path], layout: Layout) -> bool:
    """Whether the classes are the folders inside `classes`: where these share names, only the user can tell."""
    counts = Counter(nfc(each.name) for folder in classes for each in subfolders(folder))
    shared = sorted(name for name, count in counts.items() if count > 1)
    if len(shared) < 2:  # photos/ in each class says nothing
        return False
    outer = {nfc(folder.name) for folder in classes}
    if layout.known and (set(counts) <= set(layout.known)) != (outer <= set(layout.known)):
        return set(counts) <= set(layout.known)
    names, inside = ", ".join(sorted(outer)[:_SHOWN]), ", ".join(shared[:_SHOWN])
    hint = f"data.class_folders=outer: the classes are {names}; data.class_folders=inner: they are {inside}."
    raise InputError(
        top, "folders that hold folders of the same names may be classes or parts of the data", names, hint
    )


def _left_out(folders: Sequence[Path]) -> tuple[str, ...]:
    if not folders:
        return ()
    return (f"left out, files without a class folder in {_names(folders)}",)


def _names(folders: Mapping[Path, object] | Sequence[Path]) -> str:
    return ", ".join(f"{folder.name}/" for folder in folders)


def _no_classes(root: Path) -> InputError:
    return InputError(root, "must hold one subfolder per class, or train/ and test/ with such", folder_entries(root))


def folder_entries(root: Path) -> str:
    """The first entries of a folder, for messages."""
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    return ", ".join(entries[:_SHOWN]) + (" ..." if len(entries) > _SHOWN else "") if entries else "an empty folder"
