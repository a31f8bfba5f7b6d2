"""A row of a table to numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.base.terminal import one_line
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric
from dltk.edge.families.shared.columns import columns_of, rows_of, target_numbers, with_target
from dltk.edge.families.shared.rows import Rows
from dltk.edge.input.preprocess import from_data_units, to_data_units
from dltk.edge.sources.tables import dialect_of, read_table

__all__ = ["FAMILY", "TabularValues"]

Prediction = dict[str, float]  # target column -> value


def _mean_absolute_error(
    outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature
) -> NDArray[np.float64]:
    found = to_data_units(outputs[signature.outputs[0].name], signature.postprocess)
    errors = np.abs(found - to_data_units(targets, signature.postprocess))
    return np.asarray(errors.mean(axis=1), np.float64)


class TabularValues(Rows):
    """Output and targets: (n, target columns), standardized; metrics bring both back to the data's unit."""

    name = "tabular-values"
    accepted_inputs = "{column: text, number or None, ...}, or the path of a CSV of one row"
    metrics: tuple[Metric, ...] = (Metric("mean_absolute_error", False, False, _mean_absolute_error),)

    def kind(self, signature: Signature) -> Kind:
        """Numbers."""
        return "regression"

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Prediction]:
        """Per sample: the value of each target column, in the data's unit. `top` has no meaning here.

        Args:
            outputs: output name -> (n, targets), standardized.

        Raises:
            InputError: if there is not one target column per output.
        """
        values, names = (
            to_data_units(outputs[signature.outputs[0].name], signature.postprocess),
            columns_of(signature).targets,
        )
        if values.shape[1] != len(names):
            raise InputError("preprocess: columns", f"must name {values.shape[1]} targets, one per output", len(names))
        return [dict(zip(names, map(float, row), strict=True)) for row in values]

    def as_json(self, prediction: Prediction) -> Prediction:
        """{column: value, ...}."""
        return prediction

    def as_text(self, prediction: Prediction) -> str:
        """One line per target column."""
        return "\n".join(f"{one_line(name)}={value:.6g}" for name, value in prediction.items())

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Every row of a CSV that has the target columns, too, by the rules of training for targets.

        Raises:
            InputError: naming the line of a cell that does not fit, or if no row has a target.
        """
        columns, read = columns_of(signature), read_table(data, dialect=dialect_of(signature))
        table = rows_of(read, with_target(read, columns, numeric=True))
        if not len(table):
            raise InputError(data, "must have rows with a target", "none")
        wanted = from_data_units(target_numbers(table, columns), signature.postprocess).astype(np.float32)
        notes = (f"{len(read) - len(table)} rows without a target are left out",) if len(table) < len(read) else ()
        return Labelled(self.raws(table, signature), wanted, notes=notes)


FAMILY: Family = TabularValues()
