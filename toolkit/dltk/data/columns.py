"""The type and content of a table's columns, by their cells or the settings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.edge.families.shared.rows import Columns, as_number, is_empty
from dltk.edge.sources import Table

__all__ = ["TargetKind", "columns_of_table", "texts_of", "kind_of_target"]

TargetKind = Literal["label", "labels", "values"]

_MOST_CLASSES = 20  # different whole numbers up to which a target column is taken for classes
_MANY = 0.5  # different texts a row from which a category is rather a name


def columns_of_table(table: Table, settings: Any, progress: Progress) -> Columns:
    """Which columns are numbers, categories and targets.

    A column is one of numbers if most of its filled cells are, and then all must be: one cell that is none is a
    mistake, not a category.

    Raises:
        InputError: if a setting names a column that is not there, or twice, or a column of numbers holds a text.
    """
    targets = settings.target or table.header[-1:]
    left_out = {*targets, *settings.ignore, settings.group}
    said = [*settings.numbers, *settings.categories, *settings.ignore, *targets]
    for name in said:
        table.column(name)
        if said.count(name) > 1:
            raise InputError(f"setting data: column {name!r}", "must be one of target, numbers, categories, ignore")
    bare = Columns((), (), targets, settings.empty, settings.missing)
    numbers, categories = [], []
    for name in table.header:
        if name in left_out:
            continue
        if name in settings.numbers or (name not in settings.categories and _holds_numbers(table, name, bare)):
            numbers.append(name)
        else:
            categories.append(name)
            _warn_of_names(table, name, progress)
    if not numbers and not categories:
        raise InputError(f"{table.path}, line 1", "must name columns besides the target", ", ".join(table.header))
    return Columns(tuple(numbers), tuple(categories), tuple(targets), settings.empty, settings.missing)


def kind_of_target(table: Table, targets: Sequence[str], asked: str) -> TargetKind:
    """What is to be learnt: a label, several labels of 0 and 1, or values.

    By itself a column is one of values if all its cells are numbers and one has a fraction, or over 20 are different;
    several columns are labels if they hold 0 and 1 alone.
    """
    cells = [as_number(cell) for name in targets for cell in table.column(name)]
    many = len(targets) > 1
    if asked == "classify":
        return "labels" if many else "label"
    if asked == "regress":
        return "values"
    if many:
        return "labels" if set(cells) <= {0.0, 1.0} else "values"
    whole = [number for number in cells if number is not None and number == int(number)]
    classes = len(whole) == len(cells) and len(set(whole)) <= _MOST_CLASSES
    return "label" if None in cells or classes else "values"


def texts_of(cells: Sequence[str], columns: Columns, *, least: int) -> list[str]:
    """The categories of a column that at least `least` of `cells` hold, sorted; "" is what an empty cell holds."""
    counts = Counter("" if is_empty(cell, columns) else cell.strip() for cell in cells)
    return sorted(text for text, count in counts.items() if count >= least)


def _holds_numbers(table: Table, name: str, columns: Columns) -> bool:
    filled = [(row, cell) for row, cell in enumerate(table.column(name)) if not is_empty(cell, columns)]
    others = [(row, cell) for row, cell in filled if as_number(cell) is None]
    if not filled or len(others) * 2 >= len(filled):
        return False
    if others:
        row, cell = others[0]
        hint = f"Correct it, set data.empty={cell} if that means an empty cell, or data.categories={name}."
        raise InputError(table.where(row), f"column {name!r} holds numbers", cell, hint)
    return True


def _warn_of_names(table: Table, name: str, progress: Progress) -> None:
    different = len(np.unique(np.array(table.column(name))))
    if different > _MANY * len(table) and different > _MOST_CLASSES:
        progress.warn(
            f"column {name!r}: {different} different texts in {len(table)} rows; if they are names, ignore "
            f"it with data.ignore={name}"
        )
