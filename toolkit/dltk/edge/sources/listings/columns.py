"""Which column of a table names files, where these lie, and which columns hold labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError, unknown_name_hint
from dltk.edge.sources.kinds import FileKind
from dltk.edge.sources.labels import split_name
from dltk.edge.sources.listings.found import Layout, subfolders
from dltk.edge.sources.tables import Table

__all__ = ["Files", "find_files", "find_labels", "find_splits"]

_SAMPLED = 20  # rows whose files are looked for, to find out where they lie
_MOST_FOLDERS = 200
_MOST_ENTRIES = 200_000
_SHOWN = 6
_LABELS = ("label", "labels", "class", "classes", "class_name", "classname", "category", "target", "species", "tag")
_SPLITS = ("split", "set", "subset", "partition", "fold")
_FLAGS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


@dataclass(frozen=True)
class Files:
    """How the cells of a column become files.

    Attributes:
        column: its name.
        folder: where relative names start.
        suffix: what is added to each.
    """

    column: str
    folder: Path
    suffix: str = ""


def find_files(table: Table, kind: FileKind, layout: Layout) -> Files:
    """The column of `table` whose cells name files: the one called `path`, or the one whose files are there.

    Raises:
        InputError: if no column names files, or several columns or folders may be meant.
    """
    base = table.path.absolute().parent
    if layout.path in table.header or layout.path != "path":
        table.column(layout.path)  # refused with the nearest name
        cells = _sampled(table.column(layout.path))
        places = _places(cells, base, kind, layout)
        return _only([(layout.path, *place) for place in places], table, base) or Files(
            layout.path, base / layout.folder, layout.suffix
        )
    found = [
        (name, *place)
        for name in table.header
        if 2 * len(set(table.column(name))) > len(table)  # a label or a number recurs, a file does not
        for place in _places(_sampled(table.column(name)), base, kind, layout)
    ]
    found = [place for place in found if place[2] == layout.suffix] or found  # whole names before such without suffix
    if (files := _only(found, table, base)) is not None:
        return files
    rule = f"needs a column of {kind.noun} files: none of its columns names files in {base / layout.folder}"
    hint = "data.path=COLUMN names it, data.folder=FOLDER where the files lie, data.suffix=.jpg what the names lack."
    raise InputError(f"{table.path}, line 1", rule, ", ".join(table.header[:_SHOWN]), hint)


def _only(found: Sequence[tuple[str, Path, str]], table: Table, base: Path) -> Files | None:
    if not found:
        return None
    if len(found) == 1:
        return Files(*found[0])
    columns = list(dict.fromkeys(name for name, _, _ in found))
    folders = list(dict.fromkeys(str(folder.relative_to(base)) for _, folder, _ in found if folder != base))
    suffixes = list(dict.fromkeys(suffix for _, _, suffix in found))
    named = (("path", columns), ("folder", folders), ("suffix", suffixes))
    hint = " and ".join(
        " or ".join(f"data.{key}={each}" for each in values[:_SHOWN]) for key, values in named if len(values) > 1
    )
    raise InputError(f"{table.path}, line 1", "several files may be meant", f"{len(found)} places", f"Give {hint}.")


def _sampled(cells: Sequence[str]) -> list[str]:
    step = max(1, len(cells) // _SAMPLED)
    return list(dict.fromkeys(cells[row].strip() for row in range(0, len(cells), step)))[:_SAMPLED]


def _places(cells: Sequence[str], base: Path, kind: FileKind, layout: Layout) -> list[tuple[Path, str]]:
    """(folder, suffix) that make files of all `cells`; the nearest folder alone where one without a suffix does."""
    if not cells or any(not cell or "\0" in cell or len(cell) > 1000 for cell in cells):
        return []
    folders = [base / layout.folder] if layout.folder else _folders(base)
    if not layout.suffix:
        for folder in folders[:1]:
            if all(_is_file(folder / cell) for cell in cells):
                return [(folder, "")]
    found = []
    for folder in folders:
        for suffix in [layout.suffix] if layout.suffix else ["", *_suffixes(folder, cells[0], kind)]:
            if all(_is_file(folder / f"{cell}{suffix}") for cell in cells):
                found.append((folder, suffix))
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a cell may be no name at all
        return False


def _folders(base: Path) -> list[Path]:
    """`base`, the folders in it, and those in them."""
    found = [base]
    try:
        for folder in subfolders(base):
            found += [folder, *subfolders(folder)]
            if len(found) > _MOST_FOLDERS:
                break
    except OSError:
        pass  # a folder that cannot be read holds nothing that can be
    return found[:_MOST_FOLDERS]


def _suffixes(folder: Path, name: str, kind: FileKind) -> list[str]:
    """What is missing of `name` to be a file of `folder`: the suffixes of files that begin like it."""
    place, found = (folder / name).parent, []
    try:
        for number, entry in enumerate(place.iterdir()):
            if number > _MOST_ENTRIES:
                break
            if entry.stem == Path(name).name and entry.suffix.lower() in kind.suffixes:
                found.append(entry.suffix)
    except (OSError, ValueError):
        return []
    return found


def find_labels(table: Table, layout: Layout, others: Sequence[str], *, multi_label: bool) -> str | tuple[str, ...]:
    """The column of `table` with the labels, or those of one label each, 0 and 1.

    Args:
        others: columns that hold something else.

    Raises:
        InputError: if there is none, or several may be meant.
    """
    if layout.label in table.header or layout.label != "label":
        table.column(layout.label)
        return layout.label
    rest = [name for name in table.header if name not in others]
    named = [name for name in rest if name.strip().casefold() in _LABELS]
    if len(named) == 1:
        return named[0]
    if layout.known:
        fitting = [name for name in rest if set(table.column(name)) <= set(layout.known)]
        if len(fitting) == 1:
            return fitting[0]
    flags = [name for name in rest if all(cell.strip().casefold() in _FLAGS for cell in table.column(name))]
    if len(flags) > 1 and not named:
        return _one_hot(table, tuple(flags), multi_label)
    if len(rest) == 1:
        return rest[0]
    where = f"{table.path}, line 1"
    if not rest:
        raise InputError(where, "needs a column 'label'", ", ".join(table.header), unknown_name_hint("label", others))
    hint = "Give " + " or ".join(f"data.label={name}" for name in (named or rest)[:_SHOWN]) + "."
    raise InputError(
        where, "needs a column 'label', or the name of the column of labels", ", ".join(rest[:_SHOWN]), hint
    )


def _one_hot(table: Table, columns: tuple[str, ...], multi_label: bool) -> tuple[str, ...]:
    counts = [sum(flags) for flags in zip(*(map(_flag, table.column(name)) for name in columns), strict=True)]
    odd = next((row for row, count in enumerate(counts) if count != 1), None)
    if odd is not None and not multi_label:
        received = f"{counts[odd]:.0f} of {', '.join(name.strip() for name in columns[:_SHOWN])}"
        hint = "data.multi_label=true takes any number of labels per sample."
        raise InputError(table.where(odd), "must have one label", received, hint)
    return columns


def _flag(cell: str) -> float:
    return _FLAGS[cell.strip().casefold()]


def find_splits(table: Table) -> str | None:
    """The column that names splits: `split`, or one of such a name whose cells all are names of splits."""
    if "split" in table.header:
        return "split"
    for name in table.header:
        if name.strip().casefold() in _SPLITS:
            values = {split_name(cell) for cell in table.column(name)}
            if None not in values and "train" in values:
                return name
    return None
