"""A CSV table as samples: split, then numbered and standardized by what the training rows hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.bins import bins_of
from dltk.data.classes import limited
from dltk.data.columns import TargetKind, columns_of_table, kind_of_target, texts_of
from dltk.data.dataset import Dataset, Split
from dltk.data.split import SPLITS, assign_splits, require_training_share
from dltk.edge.families.shared.rows import Columns, encode
from dltk.edge.families.tabular import labels_of_rows
from dltk.edge.input.vocabulary import VOCABULARY, Vocabulary
from dltk.edge.sources import Table, check_labels, read_table

__all__ = ["prepare_table"]

_STRATA = 10  # ranges of a value that each split has its share of


def prepare_table(source: str, settings: Any, *, seed: int, progress: Progress) -> Dataset:
    """The rows of the CSV file `source`; see `TabularData` in the recipe for `settings`.

    The report has what the signature needs: "columns", "mean" and "std" of the numbers, "kind" of the target,
    "target_mean" and "target_std" where it is values; the categories are an asset. All come from the training rows.

    Raises:
        InputError: naming line and column of what cannot be used.
    """
    require_training_share(settings, "rows")
    table = read_table(Path(source))
    columns = columns_of_table(table, settings, progress)
    kind = kind_of_target(table, columns.targets, settings.kind)
    targets, labels = _targets(table, columns.targets, kind)
    by_split = _rows_by_split(table, targets, kind, settings, seed)
    train = by_split[0]
    cells = {name: table.column(name) for name in (*columns.numbers, *columns.categories)}
    known = Vocabulary.of(
        {name: texts_of([cells[name][row] for row in train], columns, least=settings.rarest)
         for name in columns.categories}
    )  # fmt: skip
    raws = encode(cells, columns, known, table.where)
    report = _report(columns, raws, by_split, kind)
    if columns.numbers and (bins := bins_of(raws["numbers"][train], report["mean"], report["std"], settings.bins)):
        report["bins"] = bins
    assets = {VOCABULARY: known.to_bytes()} if columns.categories else {}
    if kind == "values":
        targets, moments = _standardized(targets, train)
        report |= moments
    if report["copies"]:
        progress.log(f"{report['copies']} rows are copies of another one, not counting the target")
    splits = {split: Split(raws, rows, targets[rows]) for split, rows in zip(SPLITS, by_split, strict=True)}
    digest = _digest(splits, [report, *map(sha256, assets.values())])
    return Dataset(**splits, labels=labels, digest=digest, source=source, report=report, assets=assets)


def _targets(table: Table, names: tuple[str, ...], kind: TargetKind) -> tuple[NDArray[Any], tuple[str, ...]]:
    if kind == "values":
        return table.numbers(names).astype(np.float64), ()
    found = labels_of_rows(table, names)
    labels = names if kind == "labels" else check_labels((name for row in found for name in row), table.path)
    hot = np.array([[label in row for label in labels] for row in found], np.float32)
    return (hot, labels) if kind == "labels" else (hot.argmax(axis=1), labels)


def _rows_by_split(
    table: Table, targets: NDArray[Any], kind: TargetKind, settings: Any, seed: int
) -> list[NDArray[np.int64]]:
    """Rows of each split, ascending; classes, or ranges of a value, have their share of each."""
    strata = targets
    if kind == "values":
        edges = np.quantile(targets[:, 0], np.linspace(0, 1, _STRATA + 1)[1:-1])
        strata = np.searchsorted(edges, targets[:, 0])
    groups = None if settings.group is None else table.column(settings.group)
    split_ids = assign_splits(strata, validation=settings.validation, test=settings.test, groups=groups, seed=seed)
    by_split = [np.flatnonzero(split_ids == number) for number in range(len(SPLITS))]
    by_split[0] = limited(by_split[0], strata, limit=settings.limit, seed=seed)
    if not len(by_split[0]):
        raise InputError(table.path, "needs rows for training", 0)
    return by_split


def _report(
    columns: Columns, raws: NDArray[Any], by_split: list[NDArray[np.int64]], kind: TargetKind
) -> dict[str, Any]:
    seen = raws[by_split[0]]
    report: dict[str, Any] = {
        "samples": {split: len(rows) for split, rows in zip(SPLITS, by_split, strict=True)},
        "columns": columns.op(),
        "kind": kind,
        "copies": len(raws) - len(np.unique(raws.view((np.void, raws.dtype.itemsize)))),
    }
    if columns.numbers:
        numbers = np.asarray(seen["numbers"], np.float64)
        filled = np.where(np.isnan(numbers), 0.0, 1.0)
        counts = np.maximum(filled.sum(axis=0), 1.0)
        mean = np.nansum(numbers, axis=0) / counts
        deviation = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / counts)
        report |= {"mean": mean.tolist(), "std": np.where(deviation > 0, deviation, 1.0).tolist()}
        report["empty"] = {
            name: int(np.isnan(raws["numbers"][:, place]).sum()) for place, name in enumerate(columns.numbers)
        }
    return report


def _standardized(targets: NDArray[Any], train: NDArray[np.int64]) -> tuple[NDArray[Any], dict[str, Any]]:
    mean, deviation = targets[train].mean(axis=0), targets[train].std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)  # a target that never changes stays as it is
    moments = {"target_mean": mean.tolist(), "target_std": deviation.tolist()}
    return ((targets - mean) / deviation).astype(np.float32), moments


def _digest(splits: dict[str, Split], facts: list[Any]) -> str:
    parts = [canonical_json(facts)]
    for split in splits.values():
        parts += [
            split.rows.tobytes(),
            split.take(slice(None)).tobytes(),
            np.ascontiguousarray(split.targets).tobytes(),
        ]
    return sha256(b"".join(parts))
