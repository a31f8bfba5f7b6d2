"""From a CSV of numbers to a `Dataset`: a sample is a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.data.dataset import Dataset, Split
from dltk.data.split import SPLITS, assign_splits, require_training_share, stratified_subset
from dltk.edge.sources import Table, check_labels

__all__ = ["prepare_rows"]


def prepare_rows(table: Table, settings: Any, *, seed: int) -> Dataset:
    """The rows of `table` as samples, float32 (columns,), split in the shares of `settings`, every label in each.

    Args:
        settings: `columns` (none: all but the label), `label`, `validation`, `test`, and maybe `total`.

    Returns:
        A data set whose targets are the numbers of the labels; 0 where no column `settings.label` is there. The report
        holds "columns", and "labelled": whether there is one.

    Raises:
        InputError: on a cell that is no number, no column left, or too few rows.
    """
    where, labelled = str(table.path), settings.label in table.header
    require_training_share(settings)
    columns = settings.columns or tuple(name for name in table.header if name != settings.label)
    if not columns or settings.label in columns:
        rule = f"must have columns of numbers besides {settings.label!r}"
        raise InputError(f"{where}, line 1", rule, ", ".join(table.header))
    values = table.numbers(columns)
    given = table.column(settings.label) if labelled else ("",) * len(values)
    labels = check_labels(given, where, least=1) if labelled else ()
    targets = np.array([labels.index(name) for name in given] if labelled else [0] * len(values), np.int64)
    total = getattr(settings, "total", 0)
    if total:
        kept = stratified_subset(targets, np.full(len(targets), -1, np.int8), total=total, seed=seed)
        values, targets = values[kept], targets[kept]
    split_ids = assign_splits(targets, validation=settings.validation, test=settings.test, groups=None, seed=seed)
    splits = [_split_of(values, targets, np.flatnonzero(split_ids == number)) for number in range(len(SPLITS))]
    asked = [list(columns), list(labels), split_ids.tolist(), targets.tolist()]
    digest = sha256(canonical_json(asked) + np.ascontiguousarray(values).tobytes())
    report = {
        "columns": list(columns),
        "labelled": labelled,
        "samples": {name: len(split) for name, split in zip(SPLITS, splits, strict=True)},
        **table.dialect.record,
    }
    train, validation, test = splits
    return Dataset(train, validation, test, labels, digest, where, report)


def _split_of(values: NDArray[np.float32], targets: NDArray[np.int64], rows: NDArray[np.int64]) -> Split:
    return Split(values, rows, targets[rows])
