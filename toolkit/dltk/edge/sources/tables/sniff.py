"""What separates the cells of a text: the one sign by which all of its first lines have the same number of cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dltk.edge.bundle.op_table import SEPARATORS
from dltk.edge.sources.tables.faults import Questions
from dltk.edge.sources.tables.records import first_rows, is_number

__all__ = ["SIGNS", "separator_of"]

SIGNS = {",": b",", ";": b";", "tab": b"\t", "|": b"|", "::": b"::", "space": b" "}
_MOSTLY = 0.8  # of the rows, of a file with faults


def separator_of(head: bytes, path: Path, questions: Questions, required: Sequence[str] = ()) -> str:
    """One of `SEPARATORS`, by the first lines of a file; "," where none is better.

    Args:
        head: UTF-8, whole lines, without comments.
        questions: is asked where two signs would do.
        required: names of columns, which decide between two such.

    Raises:
        InputError: naming two separators and their settings, where both would do.
    """
    read = {name: first_rows(head, name) for name in SEPARATORS if SIGNS[name] in head}
    shares = {name: _share(rows, name) for name, rows in read.items()}
    named = [name for name, rows in read.items() if required and rows and set(required) <= set(rows[0])]
    for least in (1.0, _MOSTLY):
        fits = [name for name in SEPARATORS if shares.get(name, 0.0) >= least and name != "space"]
        if len(fits) > 1 and named:
            fits = [name for name in fits if name in named] or fits
        if len(fits) > 1 and least == 1.0:
            _ask(path, fits, read, questions)
        if fits:
            return max(fits, key=lambda name: shares[name])
    if shares.get("space", 0.0) >= _MOSTLY and (not named or named == ["space"]):
        return _by_spaces(path, read, questions)
    return named[0] if named else ","


def _share(rows: list[list[str]], separator: str) -> float:
    """The share of rows below the first that have as many cells as most have; 0 where the first does not fit them."""
    if len(rows) < 2:
        return 1.0 if rows and len(rows[0]) > 1 else 0.0
    (width, count), *_ = Counter(map(len, rows[1:])).most_common(1)
    first = len(rows[0])
    ends_empty = first == width - 1 and not any(row[-1].strip() for row in rows[1:] if len(row) == width)
    has_row_names = first == width - 1 and first > 1 and separator in ("tab", "space")
    if width < 2 or not (first == width or ends_empty or has_row_names):
        return 0.0
    return count / (len(rows) - 1)


def _by_spaces(path: Path, read: dict[str, list[list[str]]], questions: Questions) -> str:
    """ "space" where that makes columns of numbers; "," where the file is one column of words."""
    rows = read["space"]
    numeric = [all(is_number(cell) for cell in column) for column in zip(*rows[1:])]
    if not any(numeric):
        return ","
    if len(numeric) == 2 and not all(numeric):
        _ask(path, ["space", ","], read, questions)
    return "space"


def _ask(path: Path, names: Sequence[str], read: dict[str, list[list[str]]], questions: Questions) -> None:
    parts = [f"{len(read[name][0]) if name in read else 1} by {name!r}" for name in names]
    hint = f"Set {' or '.join(f'data.separator={name}' for name in names)}."
    questions.ask(f"{path}, line 1", "cells must be separated in one way", f"cells: {', '.join(parts)}", hint)
    questions.raise_if_any()  # what else can be asked depends on it
