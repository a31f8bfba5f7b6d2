"""Which columns of a table are the images, the texts and the labels, where settings do not name them: as advice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dltk.base.errors import InputError, shorten
from dltk.edge.sources.kinds import IMAGES
from dltk.edge.sources.pairs import PairColumns
from dltk.edge.sources.tables import Dialect, Table, read_head

__all__ = ["require_pair_columns"]

_SAMPLED = 20  # rows whose images are looked for
_MOST_FOLDERS = 200


def require_pair_columns(source: str, columns: PairColumns, dialect: Dialect) -> None:
    """Refuse a table that lacks a column, with the settings for all columns, and for the folder of the images.

    Raises:
        InputError: if a column is missing.
    """
    path = Path(source)
    try:
        table = read_head(path, rows=1000, dialect=dialect, breaks=True).table
    except InputError:
        return  # what is wrong is found again where all of it is read
    missing = [name for name in (columns.path, columns.text, columns.label) if name not in table.header]
    if missing:
        rule = f"needs a column {' and one '.join(map(repr, missing))}"
        raise InputError(table.top, rule, shorten(", ".join(table.header)), _advice(table, columns))


def _advice(table: Table, columns: PairColumns) -> str:
    """The settings that read `table`; empty if that cannot be seen."""
    base, left = table.path.absolute().parent, list(table.header)
    asked = {"path": columns.path, "text": columns.text, "label": columns.label}
    known = {key: name for key, name in asked.items() if name in left}
    left = [name for name in left if name not in known.values() and name != "split"]
    found: dict[str, str] = {}
    if "path" not in known:
        places = [(name, place) for name in left for place in _places(table.column(name)[:_SAMPLED], base, columns)]
        if len(places) != 1:
            return "Name the columns with data.path=NAME data.text=NAME data.label=NAME."
        name, (folder, suffix) = places[0]
        found = {"path": name, "folder": folder, "suffix": suffix}
        left.remove(name)
    others = [key for key in ("text", "label") if key not in known]
    if len(others) == 2 and len(left) == 2:
        sizes = {name: len(set(table.column(name))) for name in left}
        if sizes[left[0]] != sizes[left[1]]:  # labels recur, texts hardly
            found |= {"label": min(left, key=sizes.__getitem__), "text": max(left, key=sizes.__getitem__)}
    elif len(others) == 1 and len(left) == 1:
        found[others[0]] = left[0]
    found |= {key: "NAME" for key in others if key not in found}
    order = ("path", "folder", "suffix", "text", "label")
    return f"Set {' '.join(f'data.{key}={found[key]}' for key in order if found.get(key))}."


def _places(cells: Sequence[str], base: Path, columns: PairColumns) -> list[tuple[str, str]]:
    """(folder, suffix) that make files of all `cells`: as they are set, or in a folder beside the table."""
    names = [cell.strip() for cell in cells]
    if not names or any(not name or "\0" in name or len(name) > 1000 for name in names):
        return []
    folders = [columns.folder] if columns.folder else ["", *_folders(base)]
    found = []
    for folder in folders:
        for suffix in [columns.suffix] if columns.suffix else ["", *sorted(IMAGES.suffixes)]:
            if all(_is_file(base / folder / f"{name}{suffix}") for name in names):
                found.append((folder, suffix))
    return found


def _folders(base: Path) -> list[str]:
    try:
        found = sorted(entry.name for entry in base.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []  # what cannot be read holds nothing that can be
    return found[:_MOST_FOLDERS]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a cell may be no name at all
        return False
