"""A row of a table to a label, or several."""

from __future__ import annotations

from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Labelled
from dltk.edge.families.shared.labels import Labels, encode_targets, is_multi_label, require_known
from dltk.edge.families.shared.rows import Rows, as_number, columns_of
from dltk.edge.sources.tables import Table, dialect_of, read_table

__all__ = ["FAMILY", "Tabular", "labels_of_rows"]


class Tabular(Rows, Labels):
    """Labels by the rules of `Labels`; samples by those of `Rows`."""

    name = "tabular"
    accepted_inputs = "{column: text, number or None, ...}, or the path of a CSV of one row"

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Every row of a CSV that has the target columns, too."""
        table, targets = read_table(data, dialect=dialect_of(signature)), columns_of(signature).targets
        classes = labels_of_rows(table, targets)
        if not is_multi_label(signature):
            require_known({name for names in classes for name in names}, signature, data)
        return Labelled(self.raws(table, signature), encode_targets(classes, signature))


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
