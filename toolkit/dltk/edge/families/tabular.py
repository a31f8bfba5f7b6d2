"""A row of a table to a label, or several."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Labelled
from dltk.edge.families.shared.columns import Columns, as_number, columns_of, rows_of, with_target
from dltk.edge.families.shared.labels import Labels, encode_targets, is_multi_label, require_known
from dltk.edge.families.shared.rows import Rows
from dltk.edge.sources.tables import Table, dialect_of, read_table

__all__ = ["FAMILY", "OTHER", "Tabular", "labels_of_rows"]

OTHER = "other"  # the class of rows whose own is too rare to learn


class Tabular(Rows, Labels):
    """Labels by the rules of `Labels`; samples by those of `Rows`."""

    name = "tabular"
    accepted_inputs = "{column: text, number or None, ...}, or the path of a CSV of one row"

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Every row of a CSV that has the target columns, too, by the rules of training for targets.

        Raises:
            InputError: naming the line of a cell that does not fit, or if no row has a target.
        """
        columns, read = columns_of(signature), read_table(data, dialect=dialect_of(signature))
        table = rows_of(read, with_target(read, columns, numeric=False))
        notes = [f"{len(read) - len(table)} rows without a target are left out"] if len(table) < len(read) else []
        classes, multi = labels_of_rows(table, columns.targets), is_multi_label(signature)
        if not multi and columns.rest != "error":
            table, classes, note = _known_alone(table, classes, columns, signature)
            notes += [note] if note else []
        if not len(table):
            raise InputError(data, "must have rows with a target", "none")
        if not multi:
            require_known({name for names in classes for name in names}, signature, data)
        return Labelled(self.raws(table, signature), encode_targets(classes, signature), notes=tuple(notes))


def _known_alone(
    table: Table, classes: list[list[str]], columns: Columns, signature: Signature
) -> tuple[Table, list[list[str]], str]:
    """The rows and classes where rare classes were left out in training, or joined as "other"; and a note."""
    unknown = [row for row, (name,) in enumerate(classes) if name not in signature.labels]
    if not unknown:
        return table, classes, ""
    if columns.rest == "other":
        joined = [[name if name in signature.labels else OTHER] for (name,) in classes]
        return table, joined, f"{len(unknown)} rows are of classes that the model joins as {OTHER!r}"
    left = np.setdiff1d(np.arange(len(table)), unknown)
    note = f"{len(unknown)} rows are of classes that were left out in training"
    return rows_of(table, left), [classes[row] for row in left], note


def labels_of_rows(table: Table, targets: tuple[str, ...]) -> list[list[str]]:
    """The labels of each row: the cell of one target column, or the names of those of several that hold a 1.

    Raises:
        InputError: naming the line of a cell that is empty, or neither 0 nor 1 where there are several columns.
    """
    if len(targets) == 1:
        cells = [cell.strip() for cell in table.column(targets[0])]
        if "" in cells:
            raise InputError(table.where(cells.index("")), f"the target {targets[0]!r} must not be empty")
        return [[cell] for cell in cells]
    found: list[list[str]] = [[] for _ in range(len(table))]
    for name in targets:
        for row, cell in enumerate(table.column(name)):
            if as_number(cell) not in (0.0, 1.0):
                raise InputError(table.where(row), f"the target {name!r} must be 0 or 1", cell)
            found[row] += [name] * (as_number(cell) == 1.0)
    return found


FAMILY: Family = Tabular()
